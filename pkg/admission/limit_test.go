package admission

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

func TestReviewsBeyondTheLimitWaitAndThenGet503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, decided, end := blocking(64)
		var busy sync.WaitGroup
		for range 64 {
			busy.Go(func() { f.post(reviewOf(legacyPod)) })
		}
		synctest.Wait()

		start := time.Now()
		recorder := f.post(reviewOf(legacyPod))
		if waited := time.Since(start); waited != DefaultWait {
			t.Errorf("waited %s", waited)
		}
		if recorder.Code != http.StatusServiceUnavailable || recorder.Header().Get("Retry-After") != "1" {
			t.Errorf("HTTP status %d, header %v", recorder.Code, recorder.Header())
		}
		if got := f.counted(overloaded); got != 1 {
			t.Errorf("overloaded counted %v times", got)
		}

		close(end)
		busy.Wait()
		if len(decided) != 64 {
			t.Errorf("%d reviews were decided", len(decided))
		}
	})
}

func TestReviewThatWaitedIsAnsweredWhenATurnIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, end := blocking(1)
		var busy sync.WaitGroup
		busy.Go(func() { f.post(reviewOf(legacyPod)) })
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(end) })
		if recorder := f.post(reviewOf(legacyPod)); recorder.Code != http.StatusOK {
			t.Errorf("HTTP status %d", recorder.Code)
		}
		busy.Wait()
	})
}

func TestCancelledContextIsAnsweredAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, end := blocking(1)
		var busy sync.WaitGroup
		busy.Go(func() { f.post(reviewOf(legacyPod)) })
		synctest.Wait()
		time.AfterFunc(time.Second, func() { close(end) })

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, MutatePath, strings.NewReader(reviewOf(legacyPod)))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		f.ServeHTTP(recorder, request)
		if response := answerOf(t, recorder); response.UID != testUID || !response.Allowed {
			t.Errorf("answer: %+v", response)
		}
		busy.Wait()
	})
}

// blocking returns a handler with so many turns whose decisions wait for end.
func blocking(turns int) (f fixture, decided chan struct{}, end chan struct{}) {
	decided, end = make(chan struct{}, 1000), make(chan struct{})
	f = newFixture(deciding(func(*corev1.Pod, mutate.Policy) mutate.Result {
		<-end
		decided <- struct{}{}
		return mutate.Result{}
	}), func(c *Config) { c.Limit = NewLimit(turns, DefaultWait) })
	return f, decided, end
}
