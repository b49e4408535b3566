package admission

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drain Drain
		signal, send := context.WithCancel(t.Context())
		ctx, cancel := drain.Context(signal, DefaultDrain)
		defer cancel()
		handler := drain.Handler(http.NotFoundHandler())
		closes := func() bool {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, MutatePath, nil))
			return recorder.Header().Get("Connection") == "close"
		}

		if drain.Check(nil) != nil || closes() || ctx.Err() != nil {
			t.Error("draining before the signal")
		}
		send()
		synctest.Wait()
		if drain.Check(nil) == nil || !closes() {
			t.Error("not draining after the signal")
		}
		time.Sleep(DefaultDrain - time.Nanosecond)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Error("ended before the drain was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("not ended after the drain")
		}
	})
}

func TestDrainEndsAtOnceWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var drain Drain
		signal, send := context.WithCancel(t.Context())
		ctx, cancel := drain.Context(signal, time.Hour)
		send()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("not ended")
		}
	})
}
