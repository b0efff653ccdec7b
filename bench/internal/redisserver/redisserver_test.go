package redisserver

import (
	"errors"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	before := parse("process_id:42\r\nused_cpu_sys:1.5\r\nused_cpu_user:0.5\r\ntotal_net_input_bytes:100\r\ncmdstat_get:calls=3,usec=9\r\n")
	if before.PID != 42 || before.CPU != 2*time.Second || before.In != 100 || before.Calls["get"] != 3 {
		t.Errorf("parse = %+v, want PID 42, CPU 2s, In 100, 3 calls of get", before)
	}
	after := parse("used_cpu_user:2.5\ntotal_net_input_bytes:150\ncmdstat_get:calls=5,usec=9\ncmdstat_info:calls=1,usec=1\n")
	if did := after.Since(before); did.CPU != 500*time.Millisecond || did.In != 50 || len(did.Calls) != 1 || did.Calls["get"] != 2 {
		t.Errorf("Since = %+v, want CPU 500ms, In 50, 2 calls of get and no others", did)
	}
}

func TestServer(t *testing.T) {
	s, err := Start(t.Context())
	if errors.Is(err, ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	pool := Pool(s.Addr)
	defer func() { _ = pool.Close() }()
	conn := pool.Get()
	defer func() { _ = conn.Close() }()
	if _, err := conn.Do("SET", "key", "value"); err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Calls["set"] != 1 {
		t.Errorf("Stats = %+v, %v, want 1 call of set", stats, err)
	}
}
