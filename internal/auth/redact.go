package auth

import "regexp"

// credential matches what looks like a token or a JWT anywhere in a text.
var credential = regexp.MustCompile(`leat_[0-9A-Za-z]{12}_[0-9A-Za-z]{20,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*\.?[0-9A-Za-z_-]*`)

// Redact takes tokens and JWTs out of a text that somebody else wrote and that is about to be kept or logged: a client may send its secret as a
// name, a path or a part of a statement.
func Redact(text string) string {
	if len(text) < len(tokenPrefix)+idLen { // too short for either
		return text
	}
	return credential.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) > len(tokenPrefix)+idLen && found[:len(tokenPrefix)] == tokenPrefix {
			return found[:len(tokenPrefix)+idLen] + "_..."
		}
		return "(a JWT)"
	})
}
