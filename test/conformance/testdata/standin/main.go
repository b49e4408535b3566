// The stand-in for the tool: it writes down its arguments, one JSON line for
// each time it is run, and exits as it was told.
package main

import (
	"encoding/json"
	"os"
	"strconv"
)

func main() {
	line, err := json.Marshal(os.Args[1:])
	if err != nil {
		panic(err)
	}
	file, err := os.OpenFile(os.Getenv("STANDIN_RECORD"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
	status, err := strconv.Atoi(os.Getenv("STANDIN_STATUS"))
	if err != nil {
		panic(err)
	}
	os.Exit(status)
}
