package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// backendCommand is the first argument of this program when it is a backend.
const backendCommand = "backend"

// The ports that every backend listens on.
const (
	grpcPort        = 9000
	httpPort        = 8080 // HTTP/1.1 and WebSocket
	echoPort        = 7000 // says who it is once it was sent a line, then sends everything back
	serverFirstPort = 7001 // says who it is at once
	tlsPort         = 7443 // gRPC within TLS
	sinkPort        = 7002 // reads nothing for a while, then says how much it read
)

// behaviour is what a backend is told while it runs, one line of JSON each.
type behaviour struct {
	// Slow is added to what every answer takes.
	Slow time.Duration `json:"slow"`
}

// runBackend is a backend: it serves until SIGTERM, then finishes what is in
// flight, as a server that stops gracefully does.
func runBackend(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(backendCommand, flag.ContinueOnError)
	address := flags.String("address", "", "the `address` to listen on")
	name := flags.String("name", "", "the `name` to answer with; the address when empty")
	resets := flags.Float64("resets", 0, "the `share` of requests whose stream is reset")
	number := flags.Int("port", grpcPort, "the `port` of gRPC")
	atOnce := flags.Bool("at-once", false, "end at once on SIGTERM, whatever is in flight")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	service := &greeter{name: cmp.Or(*name, *address)}
	config := new(net.ListenConfig)
	listen := func(port int) (net.Listener, error) {
		return config.Listen(ctx, "tcp", net.JoinHostPort(*address, strconv.Itoa(port)))
	}
	others := map[int]func(net.Listener) error{
		httpPort:        service.serveHTTP,
		echoPort:        service.serveEcho,
		serverFirstPort: service.serveServerFirst,
		tlsPort:         service.serveTLS,
		sinkPort:        service.serveSink,
	}
	for port, serve := range others {
		listener, err := listen(port)
		if err != nil {
			return err
		}
		go serve(listener) //nolint:errcheck // it serves until the process ends
	}
	listener, err := listen(*number)
	if err != nil {
		return err
	}
	go service.obey()
	if *atOnce {
		go func() {
			<-ctx.Done()
			os.Exit(0)
		}()
	}
	fmt.Fprintln(os.Stdout, "ready")
	if *resets > 0 {
		return service.serveWithResets(ctx, listener, *resets)
	}
	return service.serveGRPC(ctx, listener)
}

// obey reads what the bed tells this backend.
func (g *greeter) obey() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var told behaviour
		if json.Unmarshal(lines.Bytes(), &told) == nil {
			g.slow.Store(int64(told.Slow))
		}
	}
}

// newServer is a gRPC server as most are, with grpc-go's defaults.
func (g *greeter) newServer(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(options, grpc.ForceServerCodec(codec{}))...)
	server.RegisterService(description(), g)
	return server
}

// serveGRPC serves until ctx ends, then stops gracefully.
func (g *greeter) serveGRPC(ctx context.Context, listener net.Listener) error {
	server := g.newServer()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		return err
	}
	<-ended
	return nil
}

// serveWithResets serves gRPC through net/http, where a handler that panics
// resets its stream: that share of the requests, at random.
func (g *greeter) serveWithResets(ctx context.Context, listener net.Listener, share float64) error {
	grpcServer := g.newServer()
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Protocols:         new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/"+serviceName) && rand.Float64() < share {
				panic(http.ErrAbortHandler)
			}
			grpcServer.ServeHTTP(w, r)
		}),
	}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
