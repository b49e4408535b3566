package internal

// This file takes the place of grpc-go's own dialer.

import (
	"net"
	"syscall"
)

// DialHook is asked before each connect call.
var DialHook func(network, address string) error

// NetDialerWithTCPKeepalive returns the dialer of all of grpc-go.
func NetDialerWithTCPKeepalive() *net.Dialer {
	return &net.Dialer{Control: func(network, address string, _ syscall.RawConn) error {
		return DialHook(network, address)
	}}
}
