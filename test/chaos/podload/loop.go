package podload

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Options say what is created, and how fast.
type Options struct {
	// Namespace is where the Pods are created. The webhook has to be enabled
	// there.
	Namespace string
	// Clients create at the same time.
	Clients int
	// Rate is the most that all clients together create, in Pods a second.
	Rate float64
}

// Loop creates Pods until it is stopped. Every other Pod is legacy, and every
// other pair is a dry run.
type Loop struct {
	client  kubernetes.Interface
	options Options
	limit   *rate.Limiter
	number  atomic.Int64
	tally   atomic.Pointer[Tally]
	cancel  context.CancelFunc
	group   sync.WaitGroup
}

// Start starts a loop that counts into tally. The client should have no limit
// of its own.
func Start(ctx context.Context, client kubernetes.Interface, options Options, tally *Tally) *Loop {
	ctx, cancel := context.WithCancel(ctx)
	l := &Loop{client: client, options: options, limit: rate.NewLimiter(rate.Limit(options.Rate), 1), cancel: cancel}
	l.tally.Store(tally)
	for range options.Clients {
		l.group.Go(func() {
			for l.limit.Wait(ctx) == nil {
				l.create(ctx)
			}
		})
	}
	return l
}

// Count has every creation from now on counted in tally, those included that
// are on their way.
func (l *Loop) Count(tally *Tally) { l.tally.Store(tally) }

// Burst creates n Pods at once, beside what the loop does, and returns when all
// are answered.
func (l *Loop) Burst(ctx context.Context, n int) {
	var group sync.WaitGroup
	for range n {
		group.Go(func() { l.create(ctx) })
	}
	group.Wait()
}

// Stop ends the loop and waits for what is on its way.
func (l *Loop) Stop() {
	l.cancel()
	l.group.Wait()
}

// create creates one Pod. While the API server is away it waits and tries
// again.
func (l *Loop) create(ctx context.Context) {
	number := l.number.Add(1)
	legacy, dryRun := number%2 == 0, number/2%2 == 0
	options := metav1.CreateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	for {
		begin := time.Now()
		pod, err := l.client.CoreV1().Pods(l.options.Namespace).Create(ctx, newPod(legacy), options)
		if ctx.Err() != nil {
			return
		}
		tally := l.tally.Load()
		if err != nil && unreachable(err) {
			tally.retry(err)
			if l.waitReachable(ctx) != nil {
				return
			}
			continue
		}
		tally.record(creation{begin: begin, end: time.Now(), legacy: legacy, dryRun: dryRun, pod: pod, problem: err})
		return
	}
}

// waitReachable waits until the API server says that it is ready.
func (l *Loop) waitReachable(ctx context.Context) error {
	const pause = 50 * time.Millisecond
	for {
		if err := l.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the load ended while the API server was away")
		case <-time.After(pause):
		}
	}
}

// rewritten tells whether the probe of a legacy Pod has become native.
func rewritten(pod *corev1.Pod) bool {
	probe := pod.Spec.Containers[0].ReadinessProbe
	return probe != nil && probe.Exec == nil && probe.GRPC != nil
}
