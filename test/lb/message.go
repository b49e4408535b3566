package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// The service that all backends offer.
const (
	serviceName = "probeshift.test.Greeter"
	sayMethod   = "/" + serviceName + "/Say"  // unary
	sendMethod  = "/" + serviceName + "/Send" // client streaming
	listMethod  = "/" + serviceName + "/List" // server streaming
	chatMethod  = "/" + serviceName + "/Chat" // bidirectional
	nameHeader  = "x-backend"                 // who answers, in the header
	lastTrailer = "x-last"                    // who answered, in the trailer
)

// ask is a request. All requests of a stream but the first may be empty.
type ask struct {
	// Delay is how long the answer takes.
	Delay time.Duration `json:"delay,omitempty"`
	// Code is the gRPC status to end with, 0 for an answer.
	Code uint32 `json:"code,omitempty"`
	// Describe asks for what the server was sent.
	Describe bool `json:"describe,omitempty"`
	// Answers is how many messages List sends.
	Answers int `json:"answers,omitempty"`
	// Padding makes the answers that much longer.
	Padding int `json:"padding,omitempty"`
	// Load makes the request longer.
	Load []byte `json:"load,omitempty"`
}

// answer is a reply.
type answer struct {
	Backend string `json:"backend"`
	// Received is how many bytes of load arrived.
	Received int64 `json:"received,omitempty"`
	// Headers are the metadata that arrived.
	Headers map[string][]string `json:"headers,omitempty"`
	// Deadline is the time that the server was told to have.
	Deadline time.Duration `json:"deadline,omitempty"`
	Padding  []byte        `json:"padding,omitempty"`
}

// codec puts the messages on the wire as JSON, so that clients in any language
// need no generated code. It stands for "proto", so that the content type is
// the plain one.
type codec struct{}

// Marshal writes a message.
func (codec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal reads a message; an empty one is a message without anything.
func (codec) Unmarshal(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading a message: %w", err)
	}
	return nil
}

// Name is the content subtype.
func (codec) Name() string { return "proto" }
