package pgwire

import "strconv"

// Arg is an argument of a call: a literal's text (nil is NULL), or the parameter of that number from 1.
type Arg struct {
	Name  string
	Text  *string
	Param int
}

// Call reads CALL name(args), or SELECT * FROM name(args), where an argument is a literal or $n, maybe after a name and =>. ok is false for all
// other statements.
func Call(sql string) (name string, args []Arg, ok bool) {
	r := read(sql)
	if !r.accept("CALL") && !r.accept("SELECT", "*", "FROM") {
		return "", nil, false
	}
	name = r.ident()
	if name == "public" && r.accept(".") {
		name = r.ident()
	}
	if name == "" || !r.accept("(") {
		return "", nil, false
	}
	for !r.accept(")") {
		arg, ok := readArg(r)
		if !ok || !r.is(",") && !r.is(")") {
			return "", nil, false
		}
		args = append(args, arg)
		r.accept(",")
	}
	if r.accept("AS") || r.tok.kind == tokenWord || r.tok.kind == tokenName { // an alias
		r.ident()
	}
	return name, args, r.end()
}

func readArg(r *reader) (a Arg, ok bool) {
	saved := *r
	if a.Name = r.ident(); a.Name == "" || !r.accept("=", ">") && !r.accept(":", "=") {
		*r, a.Name = saved, ""
	}
	if r.accept("$") {
		n, err := strconv.Atoi(r.src())
		r.advance()
		a.Param = n
		return a, err == nil && n > 0 && n <= maxArgs
	}
	null := r.is("NULL")
	text, ok := r.value()
	if !null {
		a.Text = &text
	}
	return a, ok
}
