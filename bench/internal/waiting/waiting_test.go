package waiting

import (
	"log"
	"os"
	"testing"
	"time"
)

// TestMain runs a server if startProcess started this program: in a test, that is the
// test binary.
func TestMain(m *testing.M) {
	if handled, err := RunAsServer(); handled {
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestMeasure(t *testing.T) {
	findings, err := Measure(t.Context(), Plan{Numbers: []int{8}, Logins: 4, Idle: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) < 2 {
		t.Fatalf("findings = %d, want 2 or 3", len(findings))
	}
	if f := findings[0]; f.Name != "one process, in memory" || f.Browsers != 8 || f.Live <= 0 || len(f.Notified) != 4 {
		t.Errorf("first finding = %+v, want 8 browsers in memory that take memory, and 4 approvals", f)
	}
}

func TestMeasureProtocols(t *testing.T) {
	findings, err := MeasureProtocols(t.Context(), 8)
	if err != nil {
		t.Fatal(err)
	}
	if len(findings) != 4 {
		t.Fatalf("findings = %d, want 4", len(findings))
	}
	for _, f := range findings {
		if f.Browsers != 8 || f.Live <= 0 {
			t.Errorf("%s: finding = %+v, want 8 browsers that take memory", f.Name, f)
		}
	}
}
