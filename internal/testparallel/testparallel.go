// Package testparallel sets how many tests of a package run at a time.
package testparallel

import (
	"flag"
	"runtime"
	"strconv"
)

// More lets twice as many parallel tests run at a time as there are processors, unless the
// command line has -parallel. It is for the TestMain of packages whose tests mostly wait: for
// a server, a browser, or a timer.
func More() {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}
