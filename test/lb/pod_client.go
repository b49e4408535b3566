package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// clientCommand is the first argument of this program when it is the client of
// a Pod.
const clientCommand = "client"

// window is what a client in a cluster saw within two seconds.
type window struct {
	// Number counts from 1.
	Number int `json:"number"`
	// Ending says that the client has been told to end.
	Ending bool `json:"ending,omitempty"`
	// Sent is how many requests were begun, whether they ended or not.
	Sent int `json:"sent"`
	// Answers are by backend, Failures by reason.
	Answers  spread `json:"answers"`
	Failures spread `json:"failures,omitempty"`
	// Seen is when the first and the last answer of each backend came.
	Seen map[string]sighting `json:"seen,omitempty"`
	// Failed are the requests that failed, by reason.
	Failed map[string][]failure `json:"failed,omitempty"`
}

// failure is a request that failed.
type failure struct {
	Number string    `json:"number"`
	Begun  time.Time `json:"begun"`
	Ended  time.Time `json:"ended"`
}

// sighting is when the first and the last answer of a backend came.
type sighting struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// newWindow is an empty one.
func newWindow(number int, ending bool) window {
	return window{Number: number, Ending: ending, Answers: spread{}, Failures: spread{}, Seen: map[string]sighting{}, Failed: map[string][]failure{}}
}

// add counts an outcome. A backend is seen when its answer comes.
func (w *window) add(one outcome, begin time.Time) {
	if one.err != nil {
		why := reason(one.err)
		w.Failures[why]++
		if numbered, found := errors.AsType[*numberedError](one.err); found {
			w.Failed[why] = append(w.Failed[why], failure{Number: numbered.number, Begun: begin.Add(one.begun), Ended: begin.Add(one.begun + one.took)})
		}
		return
	}
	w.Answers[one.backend]++
	at := begin.Add(one.begun + one.took)
	seen, found := w.Seen[one.backend]
	if !found || at.Before(seen.First) {
		seen.First = at
	}
	if at.After(seen.Last) {
		seen.Last = at
	}
	w.Seen[one.backend] = seen
}

// numberedError is a failure of a request that has a number.
type numberedError struct {
	number string
	err    error
}

// Error is that of the failure.
func (e *numberedError) Error() string { return e.err.Error() }

// Unwrap is the failure.
func (e *numberedError) Unwrap() error { return e.err }

// numbered gives every request a number that no other client uses; last is the
// last one's.
func numbered(client string, last *atomic.Int64) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, question, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		number := fmt.Sprintf("%s-%d", client, last.Add(1))
		if err := invoke(metadata.AppendToOutgoingContext(ctx, numberHeader, number), method, question, reply, connection, options...); err != nil {
			return &numberedError{number: number, err: err}
		}
		return nil
	}
}

// windowLength is how long a window is.
const windowLength = 2 * time.Second

// runClient makes calls and prints a window every two seconds, until SIGTERM or
// until it has made enough.
func runClient(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(clientCommand, flag.ContinueOnError)
	target := flags.String("target", greeterTarget, "the `name:port` to dial")
	calls := flags.Int("calls", 0, "end after so many `calls`; 0 means on SIGTERM")
	listen := flags.String("listen", "", "an `address` to listen on, as a client that is a server too does")
	linger := flags.Duration("linger", 0, "go on for that `time` after SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listen != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
		if err != nil {
			return fmt.Errorf("the client's own port: %w", err)
		}
		defer listener.Close()
	}
	// A Pod's host name is its own.
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	var sent atomic.Int64
	connection, err := dial(*target, grpc.WithUnaryInterceptor(numbered(name, &sent)))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if *calls > 0 {
		seen, err := collect(ctx, *calls, few, func(ctx context.Context, _ int) (string, error) {
			return callKinds()[0].call(ctx, connection)
		})
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(window{Number: 1, Answers: seen})
	}
	// The load goes on after SIGTERM.
	l := startLoad(context.WithoutCancel(ctx), connection, loadDeadline, ask{})
	defer l.stop()
	return l.report(ctx, &sent, *linger, json.NewEncoder(out))
}

// report writes a window every two seconds.
func (l *load) report(ctx context.Context, sent *atomic.Int64, linger time.Duration, out *json.Encoder) error {
	ticker := time.NewTicker(windowLength)
	defer ticker.Stop()
	var over <-chan time.Time
	told := ctx.Done()
	w := newWindow(1, false)
	before := int64(0)
	write := func() error {
		now := sent.Load()
		w.Sent, before = int(now-before), now
		for _, one := range l.takeDone() {
			w.add(one, l.begin)
		}
		err := out.Encode(w)
		w = newWindow(w.Number+1, w.Ending)
		return err
	}
	for {
		select {
		case <-told:
			if err := write(); err != nil {
				return err
			}
			w.Ending, told, over = true, nil, time.After(linger)
		case <-over:
			return write()
		case <-ticker.C:
			if err := write(); err != nil {
				return err
			}
		}
	}
}

// reason is the status of a failure, and for one that the sidecar made up what
// became of the request.
func reason(err error) string {
	_, told, _ := strings.Cut(status.Convert(err).Message(), "reason: ")
	return strings.TrimSpace(status.Code(err).String() + " " + told)
}

// takeDone are the outcomes since the last time.
func (l *load) takeDone() outcomes {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := l.done
	l.done = nil
	return done
}
