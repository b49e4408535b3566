package discovery

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between a process and the API server, which it makes go away.
type proxy struct {
	// url is how to reach the API server through it.
	url    string
	target string

	mu    sync.Mutex
	away  bool
	conns map[net.Conn]bool
}

// startProxy starts a proxy of the API server at a URL.
func startProxy(t *testing.T, host string) *proxy {
	t.Helper()
	target, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{url: "https://" + listener.Addr().String(), target: target.Host, conns: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.join(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.set(true)
		serving.Wait()
	})
	return p
}

// set makes the API server go away, with all connections to it, or come back.
func (p *proxy) set(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	if away {
		for conn := range p.conns {
			_ = conn.Close()
		}
		clear(p.conns)
	}
}

// join copies both ways until one side closes.
func (p *proxy) join(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !p.keep(client, server) {
		return
	}
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1]) // it ends when a side is closed
			_ = pair[0].Close()
		})
	}
	copying.Wait()
}

// keep remembers connections, unless the API server is away.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if p.away {
			return false
		}
		p.conns[conn] = true
	}
	return true
}
