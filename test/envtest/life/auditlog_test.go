package life

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// request is one request as the API server's audit log tells of it.
type request struct {
	namespace, group, resource, name, verb string
	// code is the HTTP status, 0 when there was no answer.
	code int
}

// String is the request in words, without its outcome.
func (q request) String() string { return sentence(q.verb, q.group, q.resource, q.name, q.namespace) }

// isRefused tells whether the API server did not know or not allow who asked.
func (q request) isRefused() bool {
	return q.code == http.StatusUnauthorized || q.code == http.StatusForbidden
}

// isOpen tells whether Kubernetes lets every authenticated user ask that, by its
// default role system:public-info-viewer.
func (q request) isOpen() bool {
	path, _, _ := strings.Cut(q.resource, "?")
	return q.verb == "get" && path == "/version"
}

// isSuccess tells whether the API server did what was asked for.
func (q request) isSuccess() bool { return q.code >= 200 && q.code < 300 }

// auditEvent is what is read of an audit.k8s.io/v1 Event.
type auditEvent struct {
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  *struct {
		Namespace, Name, APIGroup, Resource, Subresource string
	}
	ResponseStatus struct{ Code int }
}

// requestsOf lists the requests of a user in an audit log, with those whose
// user the API server did not know.
func requestsOf(t *testing.T, user, path string) []request {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for line := range bytes.Lines(content) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("the audit log holds %s: %v", line, err)
		}
		if event.User.Username == user || event.ResponseStatus.Code == http.StatusUnauthorized {
			q := event.request()
			all = append(all, q)
			// An apply of what is not there yet needs the right to create it too.
			if q.verb == "patch" && q.code == http.StatusCreated {
				q.verb = "create"
				all = append(all, q)
			}
		}
	}
	return all
}

// request is what the event tells of. One that is not about a resource is named
// by its URI.
func (e auditEvent) request() request {
	q := request{verb: e.Verb, code: e.ResponseStatus.Code, resource: e.RequestURI}
	if o := e.ObjectRef; o != nil {
		q.namespace, q.group, q.resource, q.name = o.Namespace, o.APIGroup, o.Resource, o.Name
		if o.Subresource != "" {
			q.resource += "/" + o.Subresource
		}
	}
	return q
}
