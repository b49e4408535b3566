package admission

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxBody is how many bytes of a review are read. An API server takes
	// objects of at most 3 MiB, so a review that holds one stays below it.
	maxBody = 7 << 20
	// maxDrain is how much of a longer body is read and thrown away, so that a
	// client that is still writing gets to see the answer.
	maxDrain = 7 << 20
	// DefaultReadTimeout bounds the reading of a body. The API server waits
	// two seconds for the whole answer.
	DefaultReadTimeout = 1500 * time.Millisecond
	// maxKept is the capacity up to which a buffer is used again.
	maxKept = 256 << 10
)

const mediaType = "application/json"

// checkRequest returns the HTTP status for a request that is no review at
// all, and what is wrong with it.
func (h *Handler) checkRequest(w http.ResponseWriter, r *http.Request) (status int, problem string) {
	if h.ClientCertificate && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
		return http.StatusForbidden, "a client certificate is needed: see --client-ca-file"
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "an AdmissionReview is sent with POST"
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == mediaType {
		return http.StatusOK, ""
	}
	if parsed, _, err := mime.ParseMediaType(contentType); err != nil || parsed != mediaType {
		return http.StatusUnsupportedMediaType, "an AdmissionReview has the content type " + mediaType
	}
	return http.StatusOK, ""
}

// readBody reads at most maxBody bytes into buffer. With an error the buffer
// holds the part that could be read, and the connection is closed after the
// answer.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, buffer *bytes.Buffer) error {
	control := http.NewResponseController(w)
	// Writers that know no deadline, as in tests, are read without one.
	_ = control.SetReadDeadline(h.Now().Add(h.ReadTimeout))

	buffer.Grow(int(min(max(r.ContentLength, bytes.MinRead), maxKept-bytes.MinRead)) + bytes.MinRead)
	n, err := buffer.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	if err == nil && n <= maxBody {
		_ = control.SetReadDeadline(time.Time{})
		return nil
	}
	// The deadline stays: net/http reads on before it answers, and a client
	// that stalls must not hold it up.
	w.Header().Set("Connection", "close")
	if err != nil {
		return fmt.Errorf("body broke off after %d bytes", n)
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	buffer.Truncate(maxBody)
	return errors.New("body is longer than 7 MiB")
}

// writeJSON sends an answer. An error means that the client is gone.
func writeJSON(w http.ResponseWriter, answer []byte) {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer)
}

// buffers keeps buffers of usual size for the next request.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *bytes.Buffer {
	if buffer, ok := b.pool.Get().(*bytes.Buffer); ok {
		return buffer
	}
	return new(bytes.Buffer)
}

func (b *buffers) put(buffer *bytes.Buffer) {
	if buffer.Cap() > maxKept {
		return
	}
	buffer.Reset()
	b.pool.Put(buffer)
}
