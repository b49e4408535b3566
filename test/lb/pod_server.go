package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	grpcstats "google.golang.org/grpc/stats"
)

// serverCommand is the first argument of this program when it is the server of
// a Pod.
const serverCommand = "server"

// numberHeader carries the number that a client in a cluster gives a request,
// so that the servers can say which of them they began.
const numberHeader = "x-number"

// readyPort answers readiness probes.
const readyPort = ":8081"

// runServer serves gRPC on some ports. It writes the number of each request
// before it does anything for it, so that what was begun is known however the
// process ends. On SIGTERM it ends at once, as many servers do; on SIGUSR1 it
// says that it is not ready, or that it is again, and goes on serving.
func runServer(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(serverCommand, flag.ContinueOnError)
	name := flags.String("name", "", "the `name` to answer with; on a port but the first it is name:port")
	ports := flags.String("ports", "9000", "comma-separated `ports` to listen on")
	graceful := flags.Bool("graceful", false, "finish what is in flight on SIGTERM")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	serveReadiness(ctx)
	begun := &begunWriter{out: out}
	ended := make(chan error, 1)
	var servers []*grpc.Server
	for i, port := range strings.Split(*ports, ",") {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+port)
		if err != nil {
			return err
		}
		service := &greeter{name: *name}
		if i > 0 {
			service.name += ":" + port
		}
		server := service.newServer(grpc.StatsHandler(begun))
		servers = append(servers, server)
		go func() { ended <- server.Serve(listener) }()
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if *graceful {
		for _, server := range servers {
			server.GracefulStop()
		}
		return nil
	}
	return begun.last(*name)
}

// begunWriter writes a line for each request that has a number.
type begunWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// lastLine is what a server that ends at once says last, before its name.
const lastLine = "ended "

// last says that nothing is begun from now on, and sees to it.
func (b *begunWriter) last(name string) error {
	b.mu.Lock() // for good
	_, err := fmt.Fprintln(b.out, lastLine+name)
	return err
}

var _ grpcstats.Handler = (*begunWriter)(nil)

// HandleRPC writes the number of a request when its header has been read. There
// is no buffer between it and the log.
func (b *begunWriter) HandleRPC(ctx context.Context, event grpcstats.RPCStats) {
	if _, begins := event.(*grpcstats.InHeader); !begins {
		return
	}
	for _, number := range metadata.ValueFromIncomingContext(ctx, numberHeader) {
		b.mu.Lock()
		fmt.Fprintln(b.out, number)
		b.mu.Unlock()
	}
}

// TagRPC adds nothing.
func (b *begunWriter) TagRPC(ctx context.Context, _ *grpcstats.RPCTagInfo) context.Context {
	return ctx
}

// HandleConn looks at no connection.
func (b *begunWriter) HandleConn(context.Context, grpcstats.ConnStats) {}

// TagConn adds nothing.
func (b *begunWriter) TagConn(ctx context.Context, _ *grpcstats.ConnTagInfo) context.Context {
	return ctx
}

// serveReadiness answers readiness probes until the process ends. SIGUSR1 turns
// the answer around.
func serveReadiness(ctx context.Context) {
	var away atomic.Bool
	turned := make(chan os.Signal, 1)
	signal.Notify(turned, syscall.SIGUSR1)
	go func() {
		for range turned {
			away.Store(!away.Load())
		}
	}()
	server := &http.Server{
		Addr: readyPort, ReadHeaderTimeout: time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if away.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	}
	go server.ListenAndServe() //nolint:errcheck // a Pod that cannot say that it is ready never is, which shows
}
