package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// showStreams shows many streams, long ones and large ones on one connection.
func showStreams(ctx context.Context, b *bed) error {
	p, connection, err := b.served(ctx, 4, upstreams(greeterTarget))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if err := b.showManyStreams(ctx, connection); err != nil {
		return err
	}
	if err := b.showLargeStream(ctx, connection); err != nil {
		return err
	}
	if err := b.showDeadlines(ctx, connection); err != nil {
		return err
	}
	seen, err := p.stats(ctx)
	if err != nil {
		return err
	}
	connections := seen.sum(connectionsMetric, greeterPool)
	b.row(connections == 1, "connections of the application for all this", "1", "%.0f", connections)
	return nil
}

// showManyStreams holds streams open at the same time and talks over each of
// them twice.
func (b *bed) showManyStreams(ctx context.Context, connection *grpc.ClientConn) error {
	const streams = 3000
	var all [streams]grpc.ClientStream
	var who [streams]string
	turn := func(ctx context.Context, i int) (string, error) {
		if all[i] == nil {
			s, err := open(ctx, connection, chatMethod)
			if err != nil {
				return "", err
			}
			all[i] = s
		}
		backend, err := exchange(all[i])
		if err != nil {
			return "", err
		}
		if who[i] != "" && who[i] != backend {
			return "", fmt.Errorf("a stream went from %s to %s", who[i], backend)
		}
		who[i] = backend
		return backend, nil
	}
	seen := spread{}
	var problem error
	for range 2 {
		// The streams outlive the calls that open them.
		if seen, problem = collect(ctx, streams, 64, func(_ context.Context, i int) (string, error) { return turn(ctx, i) }); problem != nil {
			break
		}
	}
	for _, s := range &all {
		if s != nil {
			s.CloseSend() //nolint:errcheck // it is only tidying up
		}
	}
	b.row(problem == nil && seen.total() == streams, "3,000 streams at the same time, one connection", "all answer, twice", "%d answer, %s %s", seen.total(), seen.show(b.backends), problemText(problem))
	return nil
}

// showLargeStream sends 100 MB in one stream.
func (b *bed) showLargeStream(ctx context.Context, connection *grpc.ClientConn) error {
	const size, piece = 100 << 20, 1 << 20
	s, err := open(ctx, connection, sendMethod)
	if err != nil {
		return err
	}
	begin := time.Now()
	question := &ask{Load: make([]byte, piece)}
	for range size / piece {
		if err := s.SendMsg(question); err != nil {
			break // the status says why
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	var reply answer
	problem := s.RecvMsg(&reply)
	b.row(problem == nil && reply.Received == size, "100 MiB in one stream", "all of it", "%d MiB in %.1f s %s", reply.Received>>20, time.Since(begin).Seconds(), problemText(problem))
	return nil
}

// serverFirst is the reason when a server ends a call at its deadline before
// Envoy and the client do, whose timers were set earlier: its reset is all that
// the client is told. A machine that is busy makes them late.
const serverFirst = "Unavailable remote reset"

// showDeadlines lets deadlines expire beside a stream that lives on, all over
// one connection.
func (b *bed) showDeadlines(ctx context.Context, connection *grpc.ClientConn) error {
	const calls = 2000
	const deadline = 20 * time.Millisecond
	const ended = "at the deadline"
	s, err := open(ctx, connection, chatMethod)
	if err != nil {
		return err
	}
	var exchanges atomic.Int64
	var problem error
	over := make(chan struct{})
	var talking sync.WaitGroup
	talking.Go(func() {
		for problem == nil {
			_, problem = exchange(s)
			exchanges.Add(1)
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	var other atomic.Value
	var raced atomic.Int64
	kinds, err := collect(ctx, calls, 32, func(ctx context.Context, _ int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		_, err := say(ctx, connection, ask{Delay: time.Second})
		switch {
		case status.Code(err) == codes.DeadlineExceeded:
			return ended, nil
		case reason(err) == serverFirst:
			raced.Add(1)
			return ended, nil
		default:
			other.Store(fmt.Sprint(err))
			return status.Code(err).String(), nil
		}
	})
	if err != nil {
		return err
	}
	close(over)
	talking.Wait()
	example, _ := other.Load().(string)
	b.row(kinds[ended] == calls, "2,000 expired deadlines, one connection", "all end at their deadline",
		"%s %s", kinds.list(), example)
	b.figure(raced.Load() == 0, "of these told as Unavailable: the server's timer was first", "0; a race on a busy machine", "%d", raced.Load())
	b.row(problem == nil, "a long stream beside them", "lives", "%d exchanges %s", exchanges.Load(), problemText(problem))
	return nil
}
