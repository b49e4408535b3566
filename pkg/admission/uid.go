package admission

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// findUID looks for request.uid in a body that could not be read otherwise.
// It tolerates duplicate names, invalid UTF-8 and anything behind the uid,
// truncation included. It returns the empty string when there is none.
func findUID(body []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(body),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if !enter(decoder, "request") || !enter(decoder, "uid") {
		return ""
	}
	uid, err := decoder.ReadToken()
	if err != nil || uid.Kind() != jsontext.KindString {
		return ""
	}
	return uid.String()
}

// enter goes into the object that comes next, to the value of the first
// member of that name.
func enter(decoder *jsontext.Decoder, name string) bool {
	if decoder.PeekKind() != jsontext.KindBeginObject {
		return false
	}
	if _, err := decoder.ReadToken(); err != nil {
		return false
	}
	for decoder.PeekKind() == jsontext.KindString {
		member, err := decoder.ReadToken()
		if err != nil {
			return false
		}
		if member.String() == name {
			return true
		}
		if err := decoder.SkipValue(); err != nil {
			return false
		}
	}
	return false
}
