//go:build unix

package migrate

import (
	"os"
	"syscall"
)

// links is how many names a file has.
func links(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // its type differs between systems
	}
	return 1
}

// keepOwner gives a new file the owner of the old one. It returns a note where
// the system refuses.
func keepOwner(path string, old os.FileInfo) (note string) {
	stat, ok := old.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() && int(stat.Gid) == os.Getegid() {
		return ""
	}
	if err := os.Chown(path, int(stat.Uid), int(stat.Gid)); err != nil {
		return "the file belongs to you now: its owner or group could not be kept"
	}
	return ""
}
