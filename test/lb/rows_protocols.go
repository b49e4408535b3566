package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// showProtocols shows what else goes through the listeners.
func showProtocols(ctx context.Context, b *bed) error {
	backends, err := b.start(ctx, 4)
	if err != nil {
		return err
	}
	if err := b.publish(ctx, backends); err != nil {
		return err
	}
	ports := []int{grpcPort, httpPort, echoPort, serverFirstPort, tlsPort}
	var list []string
	for _, port := range ports {
		list = append(list, fmt.Sprintf("%s:%d", greeterService, port))
	}
	if _, err := b.startPod(ctx, upstreams(list...)); err != nil {
		return err
	}
	for _, show := range []func(context.Context, []*backend) error{
		b.showHTTP1, b.showWebSocket, b.showTCP, b.showTLS, b.showLatePreface,
	} {
		if err := show(ctx, backends); err != nil {
			return err
		}
	}
	return b.showServerFirst(ctx, list)
}

// target is a port of the Service as the application dials it.
func target(port int) string { return fmt.Sprintf("%s:%d", greeterService, port) }

// showHTTP1 makes requests over one kept connection.
func (b *bed) showHTTP1(ctx context.Context, backends []*backend) error {
	const calls = 4000
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	changed := ""
	seen, err := collect(ctx, calls, 1, func(ctx context.Context, _ int) (string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target(httpPort)+"/a//b/../c%2Fd?e", http.NoBody)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		if version, host := response.Header.Get("X-Protocol"), response.Header.Get("X-Host"); version != "HTTP/1.1" || host != target(httpPort) {
			changed = version + " " + host
		}
		body, err := io.ReadAll(response.Body)
		return string(body), err
	})
	if err != nil {
		return err
	}
	b.row(seen.even(backends) && changed == "", "HTTP/1.1 over one connection", "even; version and Host kept", "%s of %d %s", seen.show(backends), calls, changed)
	return nil
}

// showWebSocket opens WebSockets and sends something there and back.
func (b *bed) showWebSocket(ctx context.Context, backends []*backend) error {
	const sockets = 40
	seen, err := collect(ctx, sockets, 4, func(ctx context.Context, _ int) (string, error) {
		socket, _, err := websocket.Dial(ctx, "ws://"+target(httpPort)+"/echo", nil) //nolint:bodyclose // the library says that it need not be
		if err != nil {
			return "", err
		}
		defer socket.CloseNow() //nolint:errcheck // it has said what it had to say
		_, name, err := socket.Read(ctx)
		if err != nil {
			return "", err
		}
		for range messages {
			if err := socket.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				return "", err
			}
			if _, back, err := socket.Read(ctx); err != nil || string(back) != "hello" {
				return "", fmt.Errorf("%q came back: %w", back, err)
			}
		}
		return string(name), nil
	})
	if err != nil {
		return err
	}
	b.row(seen.total() == sockets && len(seen) == len(backends), "WebSocket", "works, all backends used", "%s of %d", seen.show(backends), sockets)
	return nil
}

// showTCP talks a protocol that is not HTTP, over a connection each.
func (b *bed) showTCP(ctx context.Context, backends []*backend) error {
	const connections = 40
	seen, err := collect(ctx, connections, 4, func(ctx context.Context, i int) (string, error) {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", target(echoPort))
		if err != nil {
			return "", err
		}
		defer hangUp(connection)
		fmt.Fprintf(connection, "hello\nnumber %d\n", i)
		reader := bufio.NewReader(connection)
		name, err := reader.ReadString('\n')
		if err != nil {
			return "", err
		}
		back, err := reader.ReadString('\n')
		if err != nil || back != fmt.Sprintf("number %d\n", i) {
			return "", fmt.Errorf("%q came back: %w", back, err)
		}
		return strings.TrimSpace(name), nil
	})
	if err != nil {
		return err
	}
	b.row(seen.total() == connections && len(seen) == len(backends), "plain TCP, client first", "passed through, all backends used", "%s of %d", seen.show(backends), connections)
	return nil
}

// showTLS makes calls within TLS, over a connection each.
func (b *bed) showTLS(ctx context.Context, backends []*backend) error {
	const connections = 40
	secure := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) //nolint:gosec // a bed has no CA
	seen, err := collect(ctx, connections, 4, func(ctx context.Context, _ int) (string, error) {
		connection, err := dial(target(tlsPort), grpc.WithTransportCredentials(secure))
		if err != nil {
			return "", err
		}
		defer hangUp(connection)
		return callKinds()[0].call(ctx, connection)
	})
	if err != nil {
		return err
	}
	b.row(seen.total() == connections && len(seen) == len(backends), "gRPC within TLS", "passed through, by connection", "%s of %d", seen.show(backends), connections)
	return nil
}

// showLatePreface connects and waits before it speaks HTTP/2, as a JVM does
// that starts on a busy machine.
func (b *bed) showLatePreface(ctx context.Context, backends []*backend) error {
	const wait = 3 * time.Second
	const calls = 4000
	connection, err := dial(greeterTarget, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		connected, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return connected, pause(ctx, wait)
	}))
	if err != nil {
		return err
	}
	defer hangUp(connection)
	if _, err := say(ctx, connection, ask{}, grpc.WaitForReady(true)); err != nil {
		return err
	}
	seen, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) {
		return callKinds()[0].call(ctx, connection)
	})
	if err != nil {
		return err
	}
	b.row(seen.even(backends), "a client that connects, waits 3 s, speaks HTTP/2", "each within 10 % of even", "%s of %d", seen.show(backends), calls)
	return nil
}

// showServerFirst connects to a server that speaks first, with protocol auto
// and with protocol tcp.
func (b *bed) showServerFirst(ctx context.Context, list []string) error {
	const patience = 5 * time.Second // the inspector's
	took, name, err := firstWord(ctx)
	if err != nil {
		return err
	}
	b.row(name != "" && took < patience+time.Second, "TCP where the server speaks first, auto", "works, after the 5 s of the inspector", "after %.1f s", took.Seconds())
	if err := b.pods[0].stop(); err != nil {
		return err
	}
	if _, err := b.startPod(ctx, upstreams(list...).with("protocol", "tcp")); err != nil {
		return err
	}
	took, name, err = firstWord(ctx)
	if err != nil {
		return err
	}
	b.row(name != "" && took < patience/2, "the same with protocol: tcp", "at once", "after %s", milliseconds(took))
	return nil
}

// firstWord is what a server that speaks first says, and when.
func firstWord(ctx context.Context) (time.Duration, string, error) {
	begin := time.Now()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", target(serverFirstPort))
	if err != nil {
		return 0, "", err
	}
	defer hangUp(connection)
	name, err := bufio.NewReader(connection).ReadString('\n')
	return time.Since(begin), name, err
}
