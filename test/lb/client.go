package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// dial makes the one channel that an application has, to the name that it
// dials. With grpc-go's default, pick_first, that is one connection.
func dial(target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	options = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{})),
	}, options...)
	return grpc.NewClient(target, options...)
}

// hangUp closes a connection that has served its purpose.
func hangUp(connection io.Closer) { connection.Close() }

// callKind is one of the four kinds of gRPC methods. Its call returns which
// backend answered.
type callKind struct {
	name string
	call func(ctx context.Context, connection *grpc.ClientConn) (backend string, err error)
}

// messages is how many messages a streaming call has each way.
const messages = 3

// callKinds are all four.
func callKinds() []callKind {
	return []callKind{
		{"unary", func(ctx context.Context, c *grpc.ClientConn) (string, error) {
			reply, err := say(ctx, c, ask{})
			if err != nil {
				return "", err
			}
			return reply.Backend, nil
		}},
		{"client streaming", func(ctx context.Context, c *grpc.ClientConn) (string, error) {
			return stream(ctx, c, sendMethod, messages, 1, false)
		}},
		{"server streaming", func(ctx context.Context, c *grpc.ClientConn) (string, error) {
			return stream(ctx, c, listMethod, 1, messages, false)
		}},
		{"bidirectional", func(ctx context.Context, c *grpc.ClientConn) (string, error) {
			return stream(ctx, c, chatMethod, messages, messages, true)
		}},
	}
}

// say makes a unary call.
func say(ctx context.Context, connection *grpc.ClientConn, question ask, options ...grpc.CallOption) (*answer, error) {
	reply := new(answer)
	if err := connection.Invoke(ctx, sayMethod, &question, reply, options...); err != nil {
		return nil, err
	}
	return reply, nil
}

// open opens a stream.
func open(ctx context.Context, connection *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	return connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
}

// exchange sends a message and receives the answer.
func exchange(s grpc.ClientStream) (backend string, err error) {
	if err := s.SendMsg(&ask{}); err != nil {
		return "", err
	}
	var reply answer
	err = s.RecvMsg(&reply)
	return reply.Backend, err
}

// stream sends and receives so many messages, in turns or one side after the
// other, and reads to the end.
func stream(ctx context.Context, connection *grpc.ClientConn, method string, sends, receives int, turns bool) (backend string, err error) {
	s, err := open(ctx, connection, method)
	if err != nil {
		return "", err
	}
	received := 0
	receive := func() error {
		var reply answer
		if err := s.RecvMsg(&reply); err != nil {
			return err
		}
		received++
		backend = reply.Backend
		return nil
	}
	for range sends {
		if err := s.SendMsg(&ask{Answers: receives}); err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if turns {
			if err := receive(); err != nil {
				return "", err
			}
		}
	}
	if err := s.CloseSend(); err != nil {
		return "", err
	}
	for {
		if err := receive(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	if received != receives {
		return "", fmt.Errorf("%d messages came instead of %d", received, receives)
	}
	return backend, nil
}

// spread counts answers by backend.
type spread map[string]int

// few is how many calls are made at the same time where the spread counts. With
// many, a backend that the machine starves is given less, as it should be.
const few = 2

// collect makes n calls, some at the same time, and counts who answered.
func collect(ctx context.Context, n, together int, call func(ctx context.Context, i int) (backend string, err error)) (spread, error) {
	counts := spread{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i := range n {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			backend, err := call(ctx, i)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			counts[backend]++
			return nil
		})
	}
	return counts, group.Wait()
}

// waitAlias waits until this process's resolver follows the hosts file: Go
// looks at it again after five seconds.
func waitAlias(ctx context.Context, name, address string) error {
	const limit = 8 * time.Second
	_, err := until(ctx, limit, func() bool {
		found, err := net.DefaultResolver.LookupHost(ctx, name)
		return err == nil && len(found) == 1 && found[0] == address
	})
	if err != nil {
		return fmt.Errorf("%s is not %s %w", name, address, err)
	}
	return nil
}
