package main

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// greeter is the gRPC service of a backend.
type greeter struct {
	name string
	// slow is added to what every answer takes, in nanoseconds.
	slow atomic.Int64
}

// description is the service as generated code would describe it.
func description() *grpc.ServiceDesc {
	stream := func(name string, client, server bool, handler func(*greeter, grpc.ServerStream) error) grpc.StreamDesc {
		return grpc.StreamDesc{
			StreamName: name, ClientStreams: client, ServerStreams: server,
			Handler: func(service any, s grpc.ServerStream) error {
				g, ok := service.(*greeter)
				if !ok {
					return status.Error(codes.Internal, "not a greeter")
				}
				return g.around(s, handler)
			},
		}
	}
	return &grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			// On the wire a unary method is a stream of one message each way.
			stream("Say", false, false, (*greeter).say),
			stream("Send", true, false, (*greeter).send),
			stream("List", false, true, (*greeter).list),
			stream("Chat", true, true, (*greeter).chat),
		},
	}
}

// around names the backend in header and trailer.
func (g *greeter) around(s grpc.ServerStream, handler func(*greeter, grpc.ServerStream) error) error {
	if err := s.SetHeader(metadata.Pairs(nameHeader, g.name)); err != nil {
		return err
	}
	s.SetTrailer(metadata.Pairs(lastTrailer, g.name))
	return handler(g, s)
}

// say answers one request with one answer.
func (g *greeter) say(s grpc.ServerStream) error {
	var question ask
	if err := s.RecvMsg(&question); err != nil {
		return err
	}
	reply, err := g.reply(s.Context(), question)
	if err != nil {
		return err
	}
	return s.SendMsg(reply)
}

// send reads to the end and answers once.
func (g *greeter) send(s grpc.ServerStream) error {
	var first ask
	var received int64
	for i := 0; ; i++ {
		var question ask
		if err := s.RecvMsg(&question); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if i == 0 {
			first = question
		}
		received += int64(len(question.Load))
	}
	reply, err := g.reply(s.Context(), first)
	if err != nil {
		return err
	}
	reply.Received = received
	return s.SendMsg(reply)
}

// list answers one request with many answers.
func (g *greeter) list(s grpc.ServerStream) error {
	var question ask
	if err := s.RecvMsg(&question); err != nil {
		return err
	}
	for range question.Answers {
		reply, err := g.reply(s.Context(), question)
		if err != nil {
			return err
		}
		if err := s.SendMsg(reply); err != nil {
			return err
		}
	}
	return nil
}

// chat answers every request with an answer.
func (g *greeter) chat(s grpc.ServerStream) error {
	for {
		var question ask
		if err := s.RecvMsg(&question); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		reply, err := g.reply(s.Context(), question)
		if err != nil {
			return err
		}
		reply.Received = int64(len(question.Load))
		if err := s.SendMsg(reply); err != nil {
			return err
		}
	}
}

// reply makes one answer.
func (g *greeter) reply(ctx context.Context, question ask) (*answer, error) {
	if delay := question.Delay + time.Duration(g.slow.Load()); delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
	if question.Code != 0 {
		return nil, status.Error(codes.Code(question.Code), "as it was asked for")
	}
	reply := &answer{Backend: g.name, Padding: make([]byte, question.Padding)}
	if question.Describe {
		reply.Headers, _ = metadata.FromIncomingContext(ctx)
		if deadline, ok := ctx.Deadline(); ok {
			reply.Deadline = time.Until(deadline)
		}
	}
	return reply, nil
}
