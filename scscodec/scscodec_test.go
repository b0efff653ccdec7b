package scscodec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// cart is a type of an application's own.
type cart struct {
	Items []string
	Count map[string]int
}

// registerTypes does what an application does for its own types. Registering a type
// twice is not an error.
func registerTypes() {
	gob.Register(cart{})
	gob.Register(time.Time{})
	gob.Register(map[string]int{})
}

// sessionValues returns a value of every type that has a form of its own, and some of
// those that gob encodes.
func sessionValues() map[string]any {
	return map[string]any{
		"": "empty key", "string": "文🌙\x00\xff", "no string": "", "true": true, "false": false,
		"bytes": []byte{0, 1, 255}, "no bytes": []byte{}, "int": -42, "int8": int8(math.MinInt8), "int16": int16(math.MinInt16),
		"int32": int32(math.MinInt32), "int64": int64(math.MinInt64), "uint": uint(42), "uint8": uint8(math.MaxUint8),
		"uint16": uint16(math.MaxUint16), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(1.5), "float64": math.Pi, "infinite": math.Inf(-1),
		"time": time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.FixedZone("", 8*3600)), "no time": time.Time{},
		"cart": cart{Items: []string{"tea"}, Count: map[string]int{"tea": 2}}, "map": map[string]int{"a": 1},
	}
}

// mustEncode returns what the codec makes of the values.
func mustEncode(tb testing.TB, codec scs.Codec, deadline time.Time, values map[string]any) []byte {
	tb.Helper()
	b, err := codec.Encode(deadline, values)
	if err != nil {
		tb.Fatalf("%T: Encode: %v", codec, err)
	}
	return b
}

func TestCodecKeepsTypes(t *testing.T) {
	registerTypes()
	deadline := time.Date(2026, 11, 22, 1, 2, 3, 456789, time.UTC)
	want := sessionValues()
	want["nil"] = nil
	gotDeadline, got, err := Codec{}.Decode(mustEncode(t, Codec{}, deadline, want))
	if err != nil || !gotDeadline.Equal(deadline) || gotDeadline.Location() != time.UTC {
		t.Fatalf("Decode: deadline %v, %v, want %v", gotDeadline, err, deadline)
	}
	compareValues(t, got, want)
}

func compareValues(t *testing.T, got, want map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("decoded %d values, want %d", len(got), len(want))
	}
	for key, value := range want {
		if at, ok := value.(time.Time); ok {
			if back, ok := got[key].(time.Time); !ok || !back.Equal(at) {
				t.Errorf("%s = %v, want %v", key, got[key], at)
			}
			continue
		}
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("%s = %T %v, want %T %v", key, got[key], got[key], value, value)
		}
	}
}

func TestCodecReadsGob(t *testing.T) {
	registerTypes()
	deadline := time.Now().Add(time.Hour).UTC()
	want := sessionValues()
	delete(want, "no bytes") // gob makes it nil
	gotDeadline, got, err := Codec{}.Decode(mustEncode(t, scs.GobCodec{}, deadline, want))
	if err != nil || !gotDeadline.Equal(deadline) {
		t.Fatalf("Decode: deadline %v, %v, want %v", gotDeadline, err, deadline)
	}
	compareValues(t, got, want)
}

// scs puts values into the map that Decode returns, which a nil map does not allow.
func TestCodecReadsGobWithoutValues(t *testing.T) {
	for _, values := range []map[string]any{nil, {}} {
		_, got, err := Codec{}.Decode(mustEncode(t, scs.GobCodec{}, time.Now(), values))
		if err != nil || got == nil || len(got) != 0 {
			t.Errorf("gob of %#v: decoded %#v, %v, want an empty map", values, got, err)
		}
	}
}

func TestEncodeRefusesAnUnregisteredType(t *testing.T) {
	type unregistered struct{ Field int }
	_, err := Codec{}.Encode(time.Now(), map[string]any{"key": unregistered{1}})
	if err == nil || !strings.HasPrefix(err.Error(), `scscodec: encoding the value of "key": gob: `) {
		t.Errorf("Encode of a type that gob does not know: %v, want an error of gob's that names the key", err)
	}
}

// damagedRecords returns records that Decode refuses, by their faults.
func damagedRecords(t *testing.T) map[string][]byte {
	t.Helper()
	gobRecord := mustEncode(t, scs.GobCodec{}, time.Now(), map[string]any{"a": "text"})
	head := "\x00\x01\x02\x00\x01\x01k" // the deadline, one value, its key
	return map[string][]byte{
		"nothing":                       nil,
		"text":                          []byte("not a session"),
		"half a record of gob":          gobRecord[:len(gobRecord)/2],
		"gob of something else":         gobOf(t, struct{ Other int }{5}),
		"a marker alone":                {0},
		"the version before":            []byte("\x00\x00" + head[2:] + "\x00"),
		"the version after":             []byte("\x00\x02" + head[2:] + "\x00"),
		"a second of too many nanos":    []byte("\x00\x01\x02\x80\x94\xeb\xdc\x03\x00"),
		"more values than bytes":        []byte("\x00\x01\x02\x00\xff\xff\xff\xff\xff\x0f"),
		"a length beyond the end":       []byte(head + "\x03\x05abc"),
		"a length that overflows":       []byte(head + "\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"an unknown kind of value":      []byte(head + "\x7f\x00"),
		"a time of one byte":            []byte(head + "\x05\x01\x09"),
		"half a float32":                []byte(head + "\x10\x00\x00"),
		"half a float64":                []byte(head + "\x11\x00\x00\x00\x00"),
		"an int8 of 128":                []byte(head + "\x07\x80\x02"),
		"an int16 of 32,768":            []byte(head + "\x08\x80\x80\x04"),
		"an int32 of 2,147,483,648":     []byte(head + "\x09\x80\x80\x80\x80\x10"),
		"a uint8 of 256":                []byte(head + "\x0c\x80\x02"),
		"a uint16 of 65,536":            []byte(head + "\x0d\x80\x80\x04"),
		"a uint32 of 4,294,967,296":     []byte(head + "\x0e\x80\x80\x80\x80\x10"),
		"a value of gob's that is text": []byte(head + "\x12\x03abc"),
	}
}

// gobOf returns v as gob encodes it.
func gobOf(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecodeRefusesDamagedRecords(t *testing.T) {
	for name, record := range damagedRecords(t) {
		deadline, values, err := Codec{}.Decode(record)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error = %v, want %v", name, err, ErrDamaged)
			continue
		}
		if !deadline.IsZero() || values != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: decoded %v, %v, %q, want nothing but an error of one line", name, deadline, values, err)
		}
	}
}

// A record may have been cut anywhere, or may have been written over.
func TestDecodeRefusesCutRecords(t *testing.T) {
	good := mustEncode(t, Codec{}, time.Now(), map[string]any{"a": "text", "n": 5})
	for n := range good {
		if _, _, err := (Codec{}).Decode(good[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("the first %d of %d bytes: error = %v, want %v", n, len(good), err, ErrDamaged)
		}
	}
	if _, _, err := (Codec{}).Decode(append(bytes.Clone(good), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte too many: error = %v, want %v", err, ErrDamaged)
	}
}

func TestDecodeCopies(t *testing.T) {
	b := mustEncode(t, Codec{}, time.Now(), map[string]any{"b": []byte("abc")})
	stored := bytes.Clone(b)
	_, values, err := Codec{}.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	values["b"].([]byte)[0] = 'X'
	if !bytes.Equal(b, stored) {
		t.Errorf("after changing a value: the stored record is %q, want %q", b, stored)
	}
}

func FuzzCodec(f *testing.F) {
	registerTypes()
	for _, codec := range []scs.Codec{Codec{}, scs.GobCodec{}} {
		f.Add(mustEncode(f, codec, time.Now(), sessionValues()))
	}
	f.Add([]byte("\x00\x01"))
	f.Add([]byte("\x00\x01\x00\x00\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != marker {
			return // gob decodes it, which has fuzz targets of its own
		}
		deadline, values, err := Codec{}.Decode(b)
		if errors.Is(err, ErrDamaged) {
			return
		}
		if err != nil {
			t.Fatalf("Decode: error = %v, want %v", err, ErrDamaged)
		}
		again, err := Codec{}.Encode(deadline, values)
		if err != nil {
			t.Fatalf("Encode of the values that Decode returned: %v", err)
		}
		back, _, err := Codec{}.Decode(again)
		if err != nil || !back.Equal(deadline) {
			t.Fatalf("Decode of that record: deadline %v, %v, want %v", back, err, deadline)
		}
	})
}

// BenchmarkCodecs compares Codec with scs's default on a session such as the gate's.
func BenchmarkCodecs(b *testing.B) {
	deadline, values := time.Now(), map[string]any{"scangate/wechat": "1 1a2b3c4d5e ABCDEFGHIJKLMNOPQRSTUVWXYZ", "count": 7}
	for name, codec := range map[string]scs.Codec{"Codec": Codec{}, "gob": scs.GobCodec{}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := codec.Decode(mustEncode(b, codec, deadline, values)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
