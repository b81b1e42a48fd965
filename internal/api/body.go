package api

import (
	"bytes"
	"net/http"
	"strconv"

	"leat/internal/codec/encode"
)

// Bounds of what is held back of an answer. An error before so much of it is there is answered as a problem.
const (
	resultBuffer = 64 << 10
	// keptBody is the same where the answer may be kept: the largest body that is. The query's slot is given back before it goes out.
	keptBody = 1 << 20
	// minCompressed is the least body that is worth compressing: a smaller one fits into one packet anyway.
	minCompressed = 1 << 10
	// pooledBuffer is the largest buffer that is used again.
	pooledBuffer = 256 << 10
)

// bodyWriter holds the first bytes of an answer back, and compresses it. One goroutine uses it.
type bodyWriter struct {
	c      *call
	coding encode.Coding
	// hold is how much is held back.
	hold int
	// held is what was written so far, until the answer begins.
	held *bytes.Buffer
	// begun is set once bytes have been sent; compressor is then in their way, if the answer has a coding.
	begun      bool
	compressor encode.Compressor
}

// newBody makes a writer of the call's answer. The caller ends it with finish, or leaves it to fail, and calls release.
func (c *call) newBody(coding encode.Coding, hold int) *bodyWriter {
	held, ok := c.s.buffers.Get().(*bytes.Buffer)
	if !ok {
		held = &bytes.Buffer{}
	}
	return &bodyWriter{c: c, coding: coding, hold: hold, held: held}
}

// Write is part of io.Writer.
func (b *bodyWriter) Write(p []byte) (int, error) {
	if !b.begun && b.held.Len()+len(p) <= b.hold {
		return b.held.Write(p)
	}
	if !b.begun {
		if err := b.begin(); err != nil {
			return 0, err
		}
	}
	if b.compressor != nil {
		return b.compressor.Write(p)
	}
	return b.c.w.Write(p)
}

// begin sends what was held back; from then on an error cuts the connection.
func (b *bodyWriter) begin() error {
	b.begun = true
	var err error
	if b.coding != encode.Identity {
		b.c.set("Content-Encoding", string(b.coding))
		b.compressor = b.c.s.compressors.Get(b.coding, b.c.w)
		_, err = b.compressor.Write(b.held.Bytes())
	} else {
		_, err = b.c.w.Write(b.held.Bytes())
	}
	b.held.Reset()
	return err
}

// finish ends the answer. Where all of it was held back, kept gets its body as it is sent, valid during the call, before anything goes out.
func (b *bodyWriter) finish(kept func(body []byte, coding encode.Coding)) error {
	if b.begun {
		if b.compressor == nil {
			return nil
		}
		return b.compressor.Close()
	}
	body, coding := b.held.Bytes(), encode.Identity
	if b.coding != encode.Identity && len(body) >= minCompressed {
		var small bytes.Buffer
		z := b.c.s.compressors.Get(b.coding, &small)
		defer b.c.s.compressors.Put(b.coding, z)
		if _, err := z.Write(body); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		body, coding = small.Bytes(), b.coding
	}
	if kept != nil {
		kept(body, coding)
	}
	b.begun = true
	return b.c.whole(body, coding)
}

// whole answers with a whole body.
func (c *call) whole(body []byte, coding encode.Coding) error {
	if coding != encode.Identity {
		c.set("Content-Encoding", string(coding))
	}
	c.set("Content-Length", strconv.Itoa(len(body)))
	if c.r.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	_, err := c.w.Write(body)
	return err
}

// release gives the buffers back, after finish or without.
func (b *bodyWriter) release() {
	if b.compressor != nil {
		b.c.s.compressors.Put(b.coding, b.compressor)
		b.compressor = nil
	}
	if b.held.Cap() <= pooledBuffer {
		b.held.Reset()
		b.c.s.buffers.Put(b.held)
	}
	b.held = nil
}
