package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/status"
)

// The first arguments of this program in the containers of a cluster.
const (
	clientCommand = "client"
	endCommand    = "end"
)

// window is what a client in a cluster saw within two seconds.
type window struct {
	// Number counts from 1.
	Number int `json:"number"`
	// Ending says that the client has been told to end.
	Ending bool `json:"ending,omitempty"`
	// Answers are by backend, Failures by reason.
	Answers  spread `json:"answers"`
	Failures spread `json:"failures,omitempty"`
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
	connection, err := dial(*target)
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
	return l.report(ctx, *linger, json.NewEncoder(out))
}

// report writes a window every two seconds.
func (l *load) report(ctx context.Context, linger time.Duration, out *json.Encoder) error {
	ticker := time.NewTicker(windowLength)
	defer ticker.Stop()
	var over <-chan time.Time
	told := ctx.Done()
	w := window{Number: 1, Answers: spread{}, Failures: spread{}}
	write := func() error {
		for _, one := range l.takeDone() {
			if one.err != nil {
				w.Failures[reason(one.err)]++
			} else {
				w.Answers[one.backend]++
			}
		}
		err := out.Encode(w)
		w = window{Number: w.Number + 1, Ending: w.Ending, Answers: spread{}, Failures: spread{}}
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
