package scangate

import (
	"strings"
	"testing"
)

func TestCaseB10LocalPathIsBoundedAfterEscaping(t *testing.T) {
	for _, c := range []struct {
		name, in string
		accepted bool
	}{
		{"1,000 number signs", "/" + strings.Repeat("#", 1000), false},
		{"700 Chinese characters", "/" + strings.Repeat("文", 682) + "a", false},
		{"a query of blanks", "/?" + strings.Repeat("\u00a0", 1000), false},
		{"a fragment of quotation marks", "/#" + strings.Repeat(`"`, 1000), false},
		{"2,048 bytes", "/" + strings.Repeat("a", 2047), true},
		{"2,048 bytes after escaping", "/aa" + strings.Repeat("%E6%96%87", 227) + "aa", true},
		{"2,049 bytes", "/" + strings.Repeat("a", 2048), false},
	} {
		got := localPath(c.in)
		if len(got) > 2048 || localPath(got) != got || (got != "/") != c.accepted {
			t.Errorf("%s: localPath = %.20q of %d bytes, want accepted: %t, at most 2048 bytes and a fixed point", c.name, got, len(got), c.accepted)
		}
	}
}

func TestCaseB10DotSegmentsAreRefused(t *testing.T) {
	for _, in := range []string{
		"/..//evil.example", "/%2e//evil.example", "/a/..//e", "/.//e", "/..", "/.", "/a/.", "/a/..", "/a/../b", "/a/./b", "/.?x", "/..#x",
		"/%2e%2E//e", "/.%2e//e", "/%2E.//e", "/a/%2e%2e/%2e%2e//e", "/a%2f..%2f..%2f%2fe", "/..%2f/e", "/文/..//e",
	} {
		if got := localPath(in); got != "/" {
			t.Errorf("localPath(%q) = %q, want \"/\"", in, got)
		}
	}
	for _, in := range []string{
		"/...", "/.well-known/x", "/a..b", "/a/..b/c", "/a.", "/a?next=/../b", "/a#/../b", "/a#..", "/.a/.b", "/v1.2/", "/%2e%2e%2e/x",
	} {
		if got := localPath(in); got != in {
			t.Errorf("localPath(%q) = %q, want it as it is", in, got)
		}
	}
}
