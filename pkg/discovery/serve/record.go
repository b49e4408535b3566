package serve

import (
	"encoding/binary"
	"net"
)

// recordHeader is the size of the header of a TLS record: its type, a version and
// the length of what follows (RFC 8446, 5.1).
const recordHeader = 5

// byRecord is a connection that is read one TLS record at a time, header and
// content apart. It changes nothing but what is read at once.
//
// crypto/tls reads as much as there is into a buffer that it keeps for as long as
// the connection lasts, and that doubles when the beginning of a record lies
// behind another. A sidecar's first request is four large records in a row; after
// them it says next to nothing for half an hour, and the buffer would stay twice
// as large as the largest record.
type byRecord struct {
	net.Conn
	header [recordHeader]byte
	// read is how much of the header has been read; left how much of the content
	// has not.
	read, left int
}

// Read reads no further than to the end of a header or of a record. It must not be
// called by two goroutines at once, which crypto/tls does not.
func (r *byRecord) Read(p []byte) (int, error) {
	if r.left > 0 {
		n, err := r.Conn.Read(p[:min(len(p), r.left)])
		r.left -= n
		return n, err
	}
	n, err := r.Conn.Read(p[:min(len(p), recordHeader-r.read)])
	r.read += copy(r.header[r.read:], p[:n])
	if r.read == recordHeader {
		r.read, r.left = 0, int(binary.BigEndian.Uint16(r.header[recordHeader-2:]))
	}
	return n, err
}
