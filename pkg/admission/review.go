package admission

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// review is the part of an AdmissionReview (admission.k8s.io/v1) that matters
// here. O is what becomes of the object in it.
type review[O any] struct {
	Kind       string     `json:"kind"`
	APIVersion string     `json:"apiVersion"`
	Request    request[O] `json:"request"`
}

type request[O any] struct {
	header
	Object O `json:"object"`
}

// header is what a request says of its object.
type header struct {
	UID         string                      `json:"uid"`
	Kind        metav1.GroupVersionKind     `json:"kind"`
	Resource    metav1.GroupVersionResource `json:"resource"`
	SubResource string                      `json:"subResource"`
	Name        string                      `json:"name"`
	Namespace   string                      `json:"namespace"`
	Operation   string                      `json:"operation"`
	DryRun      bool                        `json:"dryRun"`
}

// unread stands for an object that is checked for being JSON and skipped.
type unread struct{ kind jsontext.Kind }

// UnmarshalJSONFrom skips the object.
func (u *unread) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	u.kind = decoder.PeekKind()
	return decoder.SkipValue()
}

// decode reads a review. Duplicate names and invalid UTF-8 are errors: they
// mean different things to different readers, so nothing is decided on them.
func decode[O any](body []byte) (request[O], error) {
	var r review[O]
	if err := json.Unmarshal(body, &r); err != nil {
		return r.Request, describe(err)
	}
	if r.Kind != "AdmissionReview" || r.APIVersion != "admission.k8s.io/v1" {
		return r.Request, fmt.Errorf("review is %q of %q, not AdmissionReview v1",
			short(r.Kind), short(r.APIVersion))
	}
	return r.Request, r.Request.check()
}

// check says whether the request is one this webhook is registered for.
func (h header) check() error {
	pods := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	pod := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	switch {
	case h.UID == "":
		return errors.New("request.uid is empty")
	case h.Resource != pods || h.Kind != pod:
		return fmt.Errorf("review is for %s (%s), not v1 pods", short(h.Resource.Resource), short(h.Kind.Kind))
	case h.SubResource != "":
		return fmt.Errorf("review is for the subresource %s of pods", short(h.SubResource))
	case h.Operation != "CREATE":
		return fmt.Errorf("review is for %s, not CREATE", short(h.Operation))
	}
	return nil
}

// describe says what is wrong with a review and where, without any value
// from it: a value may be secret.
func describe(err error) error {
	syntactic, isSyntactic := errors.AsType[*jsontext.SyntacticError](err)
	semantic, isSemantic := errors.AsType[*json.SemanticError](err)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && isSyntactic:
		return fmt.Errorf("duplicate name at %s", place(syntactic.JSONPointer))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("body ends in the middle of a value")
	case isSyntactic:
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	case isSemantic && semantic.JSONPointer == "":
		return errors.New("review is no JSON object")
	case isSemantic:
		return fmt.Errorf("value of the wrong type at %s", place(semantic.JSONPointer))
	}
	return errors.New("not valid JSON")
}

// place shows the end of a pointer, which tells more than its beginning.
func place(pointer jsontext.Pointer) string {
	text := string(pointer)
	if len(text) > maxShort {
		text = "..." + strings.ToValidUTF8(text[len(text)-maxShort+3:], "")
	}
	return short(text)
}

// absent says whether the request has no object.
func (u unread) absent() bool { return u.kind == jsontext.KindInvalid || u.kind == jsontext.KindNull }
