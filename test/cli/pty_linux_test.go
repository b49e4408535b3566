package cli

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// memoryOf is the largest resident size of a process that ended, in bytes.
func memoryOf(state *os.ProcessState) int64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10
	}
	return 0
}

// onTerminal runs the program on a terminal so many columns wide and returns
// what the terminal got, stdout and stderr together, in lines.
func (c *cluster) onTerminal(t *testing.T, columns uint16, environment []string, args ...string) (text string, code int) {
	t.Helper()
	master, slave := openTerminal(t, columns)
	program := c.command(t.Context(), args...)
	program.Env = append(program.Env, append([]string{"TERM=xterm-256color"}, environment...)...)
	program.Stdin, program.Stdout, program.Stderr = slave, slave, slave
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	var shown bytes.Buffer
	// It ends with an error when the last process on the terminal is gone.
	_, _ = io.Copy(&shown, master)
	_ = program.Wait() // the code is looked at by the caller
	return strings.ReplaceAll(shown.String(), "\r\n", "\n"), program.ProcessState.ExitCode()
}

// openTerminal opens a pseudo-terminal (pty(7)).
func openTerminal(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}
