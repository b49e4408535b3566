package serve

import (
	"net"

	"google.golang.org/grpc/test/bufconn"
)

// newPipe returns both ends of a connection with a buffer between them, as a
// kernel has one. The first is the server's.
func newPipe(address string) (there fromAddress, here net.Conn) {
	const buffer = 64 << 10
	listener := bufconn.Listen(buffer)
	defer listener.Close() //nolint:errcheck // it holds nothing
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := listener.Accept()
		if err == nil {
			accepted <- c
		}
	}()
	here, err := listener.Dial()
	if err != nil {
		panic(err) // it was opened just now
	}
	return fromAddress{lossy: lossy{Conn: <-accepted}, address: address}, here
}
