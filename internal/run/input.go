package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"leat/internal/codec"
	"leat/internal/codec/chunk"
	"leat/internal/infer"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

const (
	// sampleRecords is how many records at the beginning of an input its schema is inferred from.
	sampleRecords = 20_000
	// sampleWait is how long a pipe is waited for while its first records are looked at.
	sampleWait = 200 * time.Millisecond
	// bodyBytes is about how large a piece of an input is decoded at once; ahead is how many wait for the engine, per input.
	bodyBytes = 2 << 20
	ahead     = 4
)

// input is one file or pipe on its way into the engine.
type input struct {
	name, path string
	rel        *plan.Relation
	file       io.ReadCloser
	chunks     *chunk.Chunker
	// live is an input that gives what has arrived. pipe is set where it is standard input.
	live bool
	pipe *waiting
	// ahead is the schema where it was asked for before.
	ahead *inferred
	// size is that of the file, 0 where it isn't known; read is how much of it was read.
	size, read int64
	// held are bodies that were read for their schema and are still to be decoded.
	held []body

	decoder *codec.Decoder
	// free is room of bodies that were decoded.
	free chan []byte
	// next are bodies being decoded, in order; closed at the end.
	next chan *job
	// pending are decoded records that the engine has not had yet.
	pending *types.Batch
	// done is the share of the file that the engine has had, from 0 to 1.
	done float64
	// rows counts the records that were stamped.
	rows int64
	// line counts the lines of the bodies before, for messages.
	line int
	// watermark is the stream's so far.
	watermark int64
}

// body is some whole records as read.
type body struct {
	bytes       []byte
	contentType string
	records     int
	// share of the file that was read with it.
	share float64
}

// job is a body being decoded: decoded or err is set once ready is closed.
type job struct {
	body
	ready   chan struct{}
	decoded *codec.Decoded
	err     error
}

// openInput opens the source and looks at its beginning. Reads that wait come to an end once done is closed.
func openInput(s Source, o *Options, done <-chan struct{}) (*input, error) {
	in := &input{name: s.Name, path: s.Path, watermark: types.NoWatermark, free: make(chan []byte, ahead), live: o.Follow}
	if s.Path == "-" {
		in.file = io.NopCloser(o.Stdin)
		if !isFile(o.Stdin) {
			in.pipe = newWaiting(o.Stdin, done)
			in.file, in.live = io.NopCloser(in.pipe), true
		}
	} else {
		f, err := os.Open(s.Path)
		if err != nil {
			return nil, types.Errorf(types.InvalidArgument, "%s: %w", s.Name, err)
		}
		in.file = f
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			in.size = info.Size()
		}
	}
	var r io.Reader = in.file
	if f, ok := in.file.(*os.File); ok && !o.Follow {
		r = f // a *os.File may be Parquet
	} else if o.Follow && s.Path != "-" {
		r = &tail{in.file, done}
	}
	chunks, err := chunk.New(s.Path, r, chunk.Options{Bytes: bodyBytes, Live: in.live, Read: &in.read, Buffer: in.room})
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "%s: %w", s.Path, err)
	}
	in.chunks = chunks
	return in, nil
}

func (in *input) close() {
	if in.chunks != nil {
		in.chunks.Close()
	}
	_ = in.file.Close() // only read
}

// isFile reports whether r is a file, which gives all it has at once.
func isFile(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// room is that of a body that is no longer needed, nil if there is none.
func (in *input) room() []byte {
	select {
	case b := <-in.free:
		return b
	default:
		return nil
	}
}

// release gives a body's room back.
func (in *input) release(b []byte) {
	select {
	case in.free <- b:
	default:
	}
}

// pull reads the next body; io.EOF at the end.
func (in *input) pull() (body, error) {
	if len(in.held) > 0 {
		b := in.held[0]
		in.held = in.held[1:]
		return b, nil
	}
	bytes, contentType, records, err := in.chunks.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return body{}, types.Errorf(types.InvalidArgument, "%s: %w", in.path, err)
	}
	return body{bytes, contentType, records, in.share()}, err
}

func (in *input) share() float64 {
	if in.size == 0 {
		return 0
	}
	return float64(in.read) / float64(in.size)
}

// infer infers the schema from the first records, which stay to be decoded. Of a live source that is what has arrived.
func (in *input) infer() (*types.Schema, error) {
	in.chunks.Records = 1000
	defer func() { in.chunks.Records = 0 }()
	decoder := codec.NewDecoder(&types.Schema{}, codec.Options{})
	var records [][]byte
	for len(records) < sampleRecords {
		b, err := in.pull()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		in.held = append(in.held, b)
		d, err := decoder.Decode(b.bytes, codec.Sniff(b.contentType, b.bytes))
		if err != nil {
			return nil, types.Errorf(types.InvalidRecord, "%s: %w", in.path, err)
		}
		records = append(records, d.Unknown...)
		if in.live && (in.pipe == nil || !in.pipe.ready(sampleWait)) {
			break
		}
	}
	schema, _ := infer.Infer(records)
	if len(schema.Columns) == 0 {
		return nil, types.Errorf(types.InvalidRecord, "%s: %s has no record to infer columns from", in.name, in.path).
			WithHint("declare them: CREATE STREAM %s (...); SELECT ...", in.name)
	}
	return schema, nil
}

// decode reads the input to its end and has workers decode it; next gets the bodies in order.
func (in *input) decode(ctx context.Context, workers chan<- func()) error {
	defer close(in.next)
	for {
		b, err := in.pull()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		j := &job{body: b, ready: make(chan struct{})}
		work := func() {
			defer close(j.ready)
			j.decoded, j.err = in.decoder.Decode(j.bytes, codec.Sniff(j.contentType, j.bytes))
			in.release(j.bytes)
			j.bytes = nil
		}
		select {
		case in.next <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case workers <- work:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tell prints the first records of a body that could not be used.
func (in *input) tell(w io.Writer, rejects []codec.Reject, most int) {
	for _, r := range rejects[:min(len(rejects), most)] {
		fmt.Fprintf(w, "%s:%d: %s\n", in.path, in.line+r.Line, r.Err.Error())
		// Hints for those who have a server name the statement that mends it there.
		if r.Err.Hint != "" && !strings.HasPrefix(r.Err.Hint, "ALTER ") {
			fmt.Fprintf(w, "  hint: %s\n", r.Err.Hint)
		}
	}
}
