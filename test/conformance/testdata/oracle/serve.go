package main

// This file is compiled together with the tool's own main.go, in which a few
// words have been replaced (see oracle_test.go): its init is parseArguments,
// its main is run, os.Exit is exit and grpc.DialContext is dial. The process
// answers one JSON line for each JSON line it reads.

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
)

// request is one command line: the arguments without the program's name.
type request struct {
	Args []string `json:"args"`
	// Dial asks where the tool would connect to.
	Dial bool `json:"dial"`
}

// answer is what the tool makes of it.
type answer struct {
	// Exit is the exit status; 2 or 20 once the tool got as far as connecting.
	Exit int `json:"exit"`
	// Accepted says that the flags were accepted.
	Accepted bool `json:"accepted"`

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

	// Sockets are the network and address of each connect call, "tcp4
	// 127.0.0.1:50051", none of which was let through.
	Sockets []string `json:"sockets"`
	// Names says that a host had to be resolved by DNS.
	Names bool `json:"names"`
}

// exitStatus is what the tool's os.Exit has become.
type exitStatus int

func exit(status int) { panic(exitStatus(status)) }

var (
	wantDial bool
	result   answer
	record   recorder
)

// recorder collects what is dialled between start and stop.
type recorder struct {
	mu      sync.Mutex
	sockets []string
	names   bool
}

func (r *recorder) socket(network, address string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sockets = append(r.sockets, network+" "+address)
	return syscall.ECONNREFUSED
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sockets, r.names = nil, false
}

// dial stands where the tool calls grpc.DialContext, without grpc.WithBlock.
func dial(_ context.Context, target string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if !wantDial {
		return nil, errors.New("not asked to dial")
	}
	record.reset()
	conn, err := grpc.DialContext(context.Background(), target, options...)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn.Connect()
	for state := conn.GetState(); state != connectivity.TransientFailure; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			panic("no attempt to connect to " + target + " has come to an end")
		}
	}
	record.mu.Lock()
	defer record.mu.Unlock()
	result.Sockets, result.Names = append([]string{}, record.sockets...), record.names
	return nil, errors.New("every connect call is refused")
}

// judge runs the tool on one command line.
func judge(r request) answer {
	result, wantDial = answer{}, r.Dial
	flRPCHeaders = rpcHeaders{MD: make(metadata.MD)}
	func() {
		defer func() {
			if status, ok := recover().(exitStatus); ok {
				result.Exit = int(status)
			}
		}()
		parseArguments(r.Args)
		result.Accepted = true
		run()
	}()
	result.Addr, result.Service, result.UserAgent = flAddr, flService, flUserAgent
	result.ConnectTimeout, result.RPCTimeout = flConnTimeout, flRPCTimeout
	for _, values := range flRPCHeaders.MD {
		result.Headers += len(values)
	}
	result.TLS, result.NoVerify, result.CACert = flTLS, flTLSNoVerify, flTLSCACert
	result.ClientCert, result.ClientKey, result.ServerName = flTLSClientCert, flTLSClientKey, flTLSServerName
	result.ALTS, result.Gzip, result.SPIFFE = flALTS, flGZIP, flSPIFFE
	return result
}

// main replaces the tool's own.
func main() {
	_ = flag.ErrHelp
	out := bufio.NewWriter(os.Stdout)
	os.Stdout = os.NewFile(3, "discarded") // the tool prints there
	grpc.SetDialHook(record.socket)
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serveNames(server)
		return client, nil
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	encoder := json.NewEncoder(out)
	for {
		var r request
		if err := in.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return
			}
			panic(err)
		}
		if err := encoder.Encode(judge(r)); err != nil {
			panic(err)
		}
		if in.Buffered().(interface{ Len() int }).Len() <= 1 {
			if err := out.Flush(); err != nil {
				panic(err)
			}
		}
	}
}

// The world in which every name resolves: web-0 is this Pod, everything else
// a documentation address.
var (
	podIP   = [4]byte{10, 1, 2, 3}
	otherIP = [4]byte{198, 51, 100, 7}
)

// serveNames answers DNS questions on one connection.
func serveNames(conn net.Conn) {
	defer conn.Close()
	for {
		var size uint16
		if binary.Read(conn, binary.BigEndian, &size) != nil {
			return
		}
		question := make([]byte, size)
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(question) != nil || len(message.Questions) == 0 {
			return
		}
		q := message.Questions[0]
		message.Response, message.Additionals = true, nil
		switch q.Type {
		case dnsmessage.TypeA:
			ip := otherIP
			if strings.EqualFold(q.Name.String(), "web-0.") {
				ip = podIP
			}
			record.mu.Lock()
			record.names = true
			record.mu.Unlock()
			message.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60},
				Body:   &dnsmessage.AResource{A: ip},
			}}
		case dnsmessage.TypeTXT:
			message.RCode = dnsmessage.RCodeNameError
		}
		packed, err := message.Pack()
		if err != nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}
