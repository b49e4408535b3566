package tlsprobes

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fakeAPI answers creates as it is told.
type fakeAPI struct {
	answer  func(*corev1.Pod) (*corev1.Pod, error)
	calls   atomic.Int32
	options metav1.CreateOptions
}

var _ Creator = (*fakeAPI)(nil)

func (f *fakeAPI) Create(ctx context.Context, pod *corev1.Pod, options metav1.CreateOptions) (*corev1.Pod, error) {
	f.calls.Add(1)
	f.options = options
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.answer(pod)
}

func keeps(pod *corev1.Pod) (*corev1.Pod, error) { return pod, nil }

func drops(pod *corev1.Pod) (*corev1.Pod, error) {
	pod.Spec.Containers[0].ReadinessProbe.GRPC.Mode = nil
	return pod, nil
}

func refuses(*corev1.Pod) (*corev1.Pod, error) { return nil, errors.New("pods is forbidden") }

// run starts a check and returns what it logs and how to end it.
func run(t *testing.T, api *fakeAPI) (check *Check, log *bytes.Buffer, end func()) {
	t.Helper()
	log = new(bytes.Buffer)
	check = New(api, logr.FromSlogHandler(slog.NewJSONHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := check.Start(ctx); err != nil {
			t.Error(err)
		}
	}()
	return check, log, func() {
		cancel()
		<-done
	}
}

func TestAnswerOfTheAPIServer(t *testing.T) {
	tests := map[string]struct {
		answer func(*corev1.Pod) (*corev1.Pod, error)
		kept   bool
		log    string
	}{
		"mode is kept":            {keeps, true, "TLS probes are rewritten"},
		"mode is dropped":         {drops, false, "switch the feature gate GRPCContainerProbeTLS on"},
		"the create is forbidden": {refuses, false, "pods is forbidden"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fakeAPI{answer: test.answer}
				check, log, end := run(t, api)
				synctest.Wait()
				if got := check.Kept(); got != test.kept {
					t.Errorf("kept: %v", got)
				}
				end()
				if !strings.Contains(log.String(), test.log) || strings.Count(log.String(), "\n") != 1 {
					t.Errorf("log: %s", log)
				}
				if diff := cmp.Diff(metav1.CreateOptions{DryRun: []string{"All"}}, api.options); diff != "" {
					t.Errorf("options (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestNothingIsKeptBeforeTheFirstAnswer(t *testing.T) {
	if New(&fakeAPI{answer: keeps}, logr.Discard()).Kept() {
		t.Error("kept before anything was asked")
	}
}

func TestAnswerIsAskedAgain(t *testing.T) {
	tests := map[string]struct {
		answer func(*corev1.Pod) (*corev1.Pod, error)
		after  time.Duration
	}{
		"after ten minutes when it was kept":      {keeps, 10 * time.Minute},
		"after ten minutes when it was dropped":   {drops, 10 * time.Minute},
		"after half a minute when it was refused": {refuses, 30 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fakeAPI{answer: test.answer}
				check, log, end := run(t, api)
				defer end()
				time.Sleep(test.after - time.Nanosecond)
				synctest.Wait()
				before := check.Kept()
				if got := api.calls.Load(); got != 1 {
					t.Fatalf("asked %d times", got)
				}
				lines := strings.Count(log.String(), "\n")
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := api.calls.Load(); got != 2 || check.Kept() != before {
					t.Errorf("asked %d times, kept %v", got, check.Kept())
				}
				if got := strings.Count(log.String(), "\n"); got != lines {
					t.Errorf("the same answer was logged again: %s", log)
				}
			})
		})
	}
}

func TestAnswerThatChangesIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropping atomic.Bool
		api := &fakeAPI{answer: func(pod *corev1.Pod) (*corev1.Pod, error) {
			if dropping.Load() {
				return drops(pod)
			}
			return keeps(pod)
		}}
		check, log, end := run(t, api)
		defer end()
		synctest.Wait()
		dropping.Store(true)
		time.Sleep(period)
		synctest.Wait()
		if check.Kept() || strings.Count(log.String(), "\n") != 2 {
			t.Errorf("kept %v, log: %s", check.Kept(), log)
		}
	})
}
