// Package explain is the command kubectl probeshift explain: it tells step by step
// how a command line or a manifest is read, and what it becomes or what stops it.
package explain
