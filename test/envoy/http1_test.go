package envoy

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// What HTTP/1.1 carries beside the body, as bytes: the case of names, headers
// that Envoy might add or drop, the path, the phrase, trailers.
func TestHTTP1PassesAsItWasWritten(t *testing.T) {
	const request = "GET /a//b/../c%2Fd?q=%20 HTTP/1.1\r\n" +
		"Host: greeter:9000\r\nX-Odd-CASE: One\r\nX-Forwarded-For: 10.0.0.9\r\nServer: mine\r\nX_Under_Score: 1\r\n\r\n"
	const response = "HTTP/1.1 200 Fine By Me\r\n" +
		"X-Answer-CASE: Two\r\nServer: the-application\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" +
		"2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n"
	port := samePort(t, "127.0.42.1")
	got := serveBytes(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.42.1"), port), response)
	listen := listenAt(t, "127.0.43.1")
	b, err := envoy.Bootstrap(envoy.Config{
		MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue),
		Upstreams: []envoy.Upstream{{
			Name: "greeter.shop:9000", Listen: listen, Algorithm: envoy.LeastRequest, Protocol: envoy.Auto, Retries: 5,
			Members: envoy.Members{Host: "greeter.shop.svc.cluster.local.", Port: port, Refresh: time.Second},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	askNameserver(t, b, nameserver(t, map[string][]netip.Addr{
		"greeter.shop.svc.cluster.local.": {netip.MustParseAddr("127.0.42.1")},
	}))
	start(t, b, "127.0.0.1")

	conn, err := net.Dial("tcp", listen.String())
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(conn)
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	// Envoy has no switch for these two.
	added := []string{"x-forwarded-proto: http\r\n", "date: "}
	if diff := cmp.Diff(without(lines(request), added), without(<-got, added)); diff != "" {
		t.Errorf("the request arrived otherwise (-sent +arrived):\n%s", diff)
	}
	head := upTo(t, bufio.NewReader(conn), "X-Sum: 42\r\n")
	// The names of trailers are written in small letters all the same.
	want := strings.Replace(response, "0\r\nX-Sum: 42\r\n\r\n", "0\r\nx-sum: 42\r\n", 1)
	if diff := cmp.Diff(without(lines(want), added), without(head, added)); diff != "" {
		t.Errorf("the response arrived otherwise (-sent +arrived):\n%s", diff)
	}
}

// serveBytes answers the first request with these bytes, and returns its lines.
func serveBytes(t *testing.T, at netip.AddrPort, response string) <-chan []string {
	t.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan []string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer hangUp(conn)
		var head []string
		for in := bufio.NewReader(conn); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			head = append(head, line)
			if line == "\r\n" {
				break
			}
		}
		got <- head
		_, _ = io.WriteString(conn, response) // the client misses it, and says so
		_, _ = io.Copy(io.Discard, conn)      // until the client is gone
	}()
	return got
}

// upTo reads lines, the one that is named included.
func upTo(t *testing.T, in *bufio.Reader, last string) []string {
	t.Helper()
	var all []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, line)
		if strings.EqualFold(line, last) {
			return all
		}
	}
}

func lines(text string) []string {
	return slices.Collect(strings.Lines(text))
}

// without leaves out the lines that begin so, and brings the others in order.
func without(all, prefixes []string) []string {
	kept := slices.DeleteFunc(slices.Clone(all), func(line string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) })
	})
	slices.Sort(kept)
	return kept
}
