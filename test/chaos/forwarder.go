package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// period is how often a replica is asked whether it is ready, and how long it
// may take to answer: the kubelet's least. One answer decides.
const period = time.Second

// forwarder is one address before several replicas, as a Service is: each new
// connection goes to the next replica that is ready, and stays there whatever
// becomes of it.
type forwarder struct {
	listener net.Listener
	group    sync.WaitGroup

	mu       sync.Mutex
	backends []*backend
	next     int
	// offered counts connections by the protocols that the client offered.
	offered map[string]int
}

// backend is a replica as the forwarder sees it.
type backend struct {
	address, health string
	ready           bool
	forget          context.CancelFunc
}

// newForwarder listens on a free port of 127.0.0.1.
func newForwarder(ctx context.Context) (*forwarder, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &forwarder{listener: listener, offered: map[string]int{}}
	f.group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go f.serve(ctx, client)
		}
	})
	return f, nil
}

// port is where the forwarder listens.
func (f *forwarder) port() int32 {
	_, port, err := net.SplitHostPort(f.listener.Addr().String())
	if err != nil {
		return 0
	}
	var number int32
	if _, err := fmt.Sscan(port, &number); err != nil {
		return 0
	}
	return number
}

// close stops listening and asking.
func (f *forwarder) close() {
	f.listener.Close()
	f.mu.Lock()
	for _, b := range f.backends {
		b.forget()
	}
	f.mu.Unlock()
	f.group.Wait()
}

// add has connections go to a replica whenever it is ready.
func (f *forwarder) add(ctx context.Context, address, health string) *backend {
	ctx, cancel := context.WithCancel(ctx)
	b := &backend{address: address, health: health, forget: cancel}
	f.mu.Lock()
	f.backends = append(f.backends, b)
	f.mu.Unlock()
	f.group.Go(func() {
		for ctx.Err() == nil {
			ready := isReady(ctx, b.health)
			f.mu.Lock()
			b.ready = ready
			f.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(period):
			}
		}
	})
	return b
}

// remove forgets a replica that has ended.
func (f *forwarder) remove(b *backend) {
	b.forget()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.backends = slices.DeleteFunc(f.backends, func(other *backend) bool { return other == b })
}

// isIn tells whether new connections go to a replica.
func (f *forwarder) isIn(b *backend) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return b.ready
}

// pick returns the replica for the next connection, nil when none is ready.
func (f *forwarder) pick() *backend {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.backends {
		f.next++
		if b := f.backends[f.next%len(f.backends)]; b.ready {
			return b
		}
	}
	return nil
}

// serve carries one connection. It notes what the client offers to speak.
func (f *forwarder) serve(ctx context.Context, client net.Conn) {
	defer hangUp(client)
	b := f.pick()
	if b == nil {
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", b.address)
	if err != nil {
		return
	}
	defer hangUp(server)
	stop := context.AfterFunc(ctx, func() { hangUp(client); hangUp(server) })
	defer stop()

	hello, protocols, err := readHello(ctx, client)
	if err != nil {
		protocols = []string{err.Error()}
	}
	f.mu.Lock()
	f.offered[strings.Join(protocols, ", ")]++
	f.mu.Unlock()
	if _, err := server.Write(hello); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		go func() {
			io.Copy(way[0], way[1]) //nolint:errcheck // a connection that ends is what this is about
			done <- struct{}{}
		}()
	}
	<-done
}

// hangUp closes a connection, which may be closed already.
func hangUp(connection net.Conn) {
	connection.Close() //nolint:errcheck // there is nobody to tell
}

// protocols says what clients offered to speak.
func (f *forwarder) protocols() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for protocols, n := range f.offered {
		all = append(all, fmt.Sprintf("%d connections that offer %s", n, protocols))
	}
	slices.Sort(all)
	return "seen between API server and replicas: " + strings.Join(all, "; ")
}

// isReady asks a replica once.
func isReady(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
