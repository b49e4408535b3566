package admission

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// appendAnswer writes the AdmissionReview (admission.k8s.io/v1) that answers
// a request. The API server wants patch and patchType both or neither.
func appendAnswer(dst []byte, v verdict) []byte {
	dst = append(dst, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	dst = appendString(dst, v.uid)
	dst = appendAllowed(dst, v.denial)
	if len(v.patch) > 0 {
		dst = append(dst, `,"patchType":"JSONPatch","patch":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, v.patch)
		dst = append(dst, '"')
	}
	if len(v.annotations) > 0 {
		dst = append(dst, `,"auditAnnotations":{`...)
		for i, a := range v.annotations {
			dst = appendComma(dst, i)
			dst = appendString(dst, a.key)
			dst = append(dst, ':')
			dst = appendString(dst, a.value)
		}
		dst = append(dst, '}')
	}
	if len(v.warnings) > 0 {
		dst = append(dst, `,"warnings":`...)
		dst = appendStrings(dst, v.warnings)
	}
	return append(dst, `}}`...)
}

// appendAllowed says whether the Pod is let in, and if not why: a status is what
// the client sees, behind the API server's own words.
func appendAllowed(dst []byte, d *denial) []byte {
	if d == nil {
		return append(dst, `,"allowed":true`...)
	}
	dst = append(dst, `,"allowed":false,"status":{"code":`...)
	dst = strconv.AppendInt(dst, int64(d.code), 10)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, d.reason)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, d.message)
	return append(dst, '}')
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		dst = appendComma(dst, i)
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendString writes a JSON string. Invalid UTF-8 becomes the replacement
// character, as with encoding/json; that is the only error AppendQuote has.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// appendComma separates the element of index i from the one before it.
func appendComma(dst []byte, i int) []byte {
	if i == 0 {
		return dst
	}
	return append(dst, ',')
}
