package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// request and answer are those of testdata/oracle/serve.go.
type request struct {
	Args []string `json:"args"`
	Dial bool     `json:"dial"`
}

type answer struct {
	Exit           int           `json:"exit"`
	Accepted       bool          `json:"accepted"`
	Addr           string        `json:"addr"`
	Service        string        `json:"service"`
	UserAgent      string        `json:"userAgent"`
	ConnectTimeout time.Duration `json:"connectTimeout"`
	RPCTimeout     time.Duration `json:"rpcTimeout"`
	Headers        int           `json:"headers"`
	TLS            bool          `json:"tls"`
	NoVerify       bool          `json:"noVerify"`
	CACert         string        `json:"caCert"`
	ClientCert     string        `json:"clientCert"`
	ClientKey      string        `json:"clientKey"`
	ServerName     string        `json:"serverName"`
	ALTS           bool          `json:"alts"`
	Gzip           bool          `json:"gzip"`
	SPIFFE         bool          `json:"spiffe"`
	Sockets        []string      `json:"sockets"`
	Names          bool          `json:"names"`
}

// oracle is the tool as a process that answers for one line after another.
type oracle struct {
	in  io.Writer
	out *json.Decoder
	// dialled remembers what an address led to.
	dialled map[string]answer
}

// newOracle starts an oracle that has no environment but env.
func newOracle(t *testing.T, env ...string) *oracle {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), buildOracle(t))
	cmd.Env = append([]string{"PATH=/nowhere"}, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	discard, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{discard}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the oracle ended with %v", err)
		}
		_ = discard.Close()
	})
	return &oracle{in: in, out: json.NewDecoder(bufio.NewReader(out)), dialled: map[string]answer{}}
}

// ask returns the tool's answers in the order of the requests.
func (o *oracle) ask(t *testing.T, requests []request) []answer {
	t.Helper()
	written := make(chan error, 1)
	go func() {
		buffer := bufio.NewWriterSize(o.in, 1<<16)
		encoder := json.NewEncoder(buffer)
		for _, r := range requests {
			if err := encoder.Encode(r); err != nil {
				written <- err
				return
			}
		}
		written <- buffer.Flush()
	}()
	answers := make([]answer, len(requests))
	for i := range answers {
		if err := o.out.Decode(&answers[i]); err != nil {
			t.Fatalf("the oracle's answer to %q: %v", requests[i].Args, err)
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	return answers
}

// judge returns what the tool does with each line, and where it dials.
func (o *oracle) judge(t *testing.T, lines [][]string) []answer {
	t.Helper()
	requests := make([]request, 0, len(lines))
	for _, args := range lines {
		requests = append(requests, request{Args: args})
	}
	answers := o.ask(t, requests)
	var unknown []request
	for _, a := range answers {
		if _, known := o.dialled[a.Addr]; a.Accepted && !known {
			o.dialled[a.Addr] = answer{}
			unknown = append(unknown, request{Args: []string{"-addr=" + a.Addr}, Dial: true})
		}
	}
	for _, a := range o.ask(t, unknown) {
		o.dialled[a.Addr] = a
	}
	for i, a := range answers {
		if a.Accepted {
			answers[i].Sockets, answers[i].Names = o.dialled[a.Addr].Sockets, o.dialled[a.Addr].Names
		}
	}
	return answers
}

// place is where a connect call goes.
type place string

const (
	loopback4 place = "127.0.0.1"
	loopback6 place = "::1"
	any4      place = "0.0.0.0"
	any6      place = "::"
	thisPod   place = "this Pod"
	unix      place = "a unix socket"
	elsewhere place = "elsewhere"
)

// podIP and podHostname are what the oracle takes for this Pod.
const (
	podIP       = "10.1.2.3"
	podIPv6     = "fd00::1:2:3"
	podHostname = "web-0"
)

// sockets returns the places that an answer's connect calls go to, and the
// port that all of them have; ok is false when they have several.
func (a answer) sockets() (places []place, port int32, ok bool) {
	ok = true
	for i, socket := range a.Sockets {
		network, address, _ := strings.Cut(socket, " ")
		if network == "unix" {
			places = append(places, unix)
			continue
		}
		if strings.HasPrefix(address, ":") { // net.Dial leaves an empty host to the kernel
			address = string(any4) + address
		}
		end, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, 0, false
		}
		ok = ok && (i == 0 || port == int32(end.Port()))
		port = int32(end.Port())
		places = append(places, placeOf(end.Addr()))
	}
	return places, port, ok
}

func placeOf(ip netip.Addr) place {
	if ip.String() == podIP || ip.String() == podIPv6 {
		return thisPod
	}
	for _, known := range []place{loopback4, loopback6, any4, any6} {
		if ip.String() == string(known) {
			return known
		}
	}
	return elsewhere
}

// neverConnects says whether no connect call can succeed: there is none, or
// all are to port 0.
func (a answer) neverConnects() bool {
	for _, socket := range a.Sockets {
		if !strings.HasSuffix(socket, ":0") || strings.HasPrefix(socket, "unix") {
			return false
		}
	}
	return true
}

// unixSocket says whether it dials one.
func (a answer) unixSocket() bool {
	return slices.ContainsFunc(a.Sockets, func(socket string) bool { return strings.HasPrefix(socket, "unix ") })
}
