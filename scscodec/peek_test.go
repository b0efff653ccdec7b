package scscodec

import (
	"bytes"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// plainValues returns a value of every type that Codec does not leave to gob.
func plainValues() map[string]any {
	values := sessionValues()
	delete(values, "cart")
	delete(values, "map")
	values["nil"] = nil
	return values
}

func TestPeek(t *testing.T) {
	values := plainValues()
	record := mustEncode(t, Codec{}, time.Now(), values)
	for key, value := range values {
		want, isText := value.(string)
		text, ok := Codec{}.Peek(record, key)
		if !ok || string(text) != want || (text != nil) != isText {
			t.Errorf("Peek at %q: %q, %t, want %q of %v", key, text, ok, want, value)
		}
	}
	if text, ok := (Codec{}).Peek(record, "another key"); !ok || text != nil {
		t.Errorf("Peek at a key without a value: %q, %t, want none in a good record", text, ok)
	}
}

// TestPeekLeavesRecordsToDecode looks into records that only Decode can check.
func TestPeekLeavesRecordsToDecode(t *testing.T) {
	registerTypes()
	values := map[string]any{"key": "text", "cart": cart{}}
	for name, record := range map[string][]byte{
		"of scs's default codec": mustEncode(t, scs.GobCodec{}, time.Now(), map[string]any{"key": "text"}),
		"with a value of gob's":  mustEncode(t, Codec{}, time.Now(), values),
	} {
		if text, ok := (Codec{}).Peek(record, "key"); ok || text != nil {
			t.Errorf("a record %s: Peek = %q, %t, want nothing", name, text, ok)
		}
	}
	for name, record := range damagedRecords(t) {
		if text, ok := (Codec{}).Peek(record, "k"); ok || text != nil {
			t.Errorf("%s: Peek = %q, %t, want nothing", name, text, ok)
		}
	}
	good := mustEncode(t, Codec{}, time.Now(), map[string]any{"a": "text", "n": 5, "t": time.Now()})
	for n := range good {
		if _, ok := (Codec{}).Peek(good[:n], "a"); ok {
			t.Errorf("the first %d of %d bytes: Peek reports a good record", n, len(good))
		}
	}
	if _, ok := (Codec{}).Peek(append(bytes.Clone(good), 0), "a"); ok {
		t.Error("a byte too many: Peek reports a good record")
	}
}

// TestPeekTakesTheLaterOfTwoValues looks into a record that has a key twice. Encode does
// not write one.
func TestPeekTakesTheLaterOfTwoValues(t *testing.T) {
	for name, record := range map[string]string{
		"two strings":            "\x00\x01\x02\x00\x02\x01k\x03\x01a\x01k\x03\x01b",
		"a string and no string": "\x00\x01\x02\x00\x02\x01k\x03\x01a\x01k\x02",
	} {
		_, values, err := Codec{}.Decode([]byte(record))
		want, _ := values["k"].(string)
		if text, ok := (Codec{}).Peek([]byte(record), "k"); err != nil || !ok || string(text) != want {
			t.Errorf("%s: Peek = %q, %t, Decode = %v, %v, want the same", name, text, ok, values["k"], err)
		}
	}
}

func TestPeekDoesNotAllocate(t *testing.T) {
	record := mustEncode(t, Codec{}, time.Now(), plainValues())
	if got := testing.AllocsPerRun(100, func() { _, _ = Codec{}.Peek(record, "string") }); got != 0 {
		t.Errorf("Peek: %v allocations, want none", got)
	}
}

// FuzzPeek compares Peek with Decode.
func FuzzPeek(f *testing.F) {
	registerTypes()
	f.Add(mustEncode(f, Codec{}, time.Now(), sessionValues()), "string")
	f.Add(mustEncode(f, Codec{}, time.Now(), plainValues()), "string")
	f.Add([]byte("\x00\x01\x02\x00\x02\x01k\x03\x01a\x01k\x02"), "k")
	f.Fuzz(func(t *testing.T, record []byte, key string) {
		text, ok := Codec{}.Peek(record, key)
		if !ok {
			return
		}
		_, values, err := Codec{}.Decode(record)
		want, isText := values[key].(string)
		if err != nil || string(text) != want || (text != nil) != isText {
			t.Fatalf("Peek of %q at %q: %q, Decode: %v, %v, want the same", record, key, text, values[key], err)
		}
	})
}
