package scangate

import (
	"bytes"
	"encoding/gob"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

// cart is a type of an application's own.
type cart struct {
	Items []string
	Count map[string]int
}

// registerTypes is what an application does for its own types. To do it twice is
// no error.
func registerTypes() {
	gob.Register(cart{})
	gob.Register(time.Time{})
	gob.Register(map[string]int{})
}

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

func TestSessionCodecKeepsTypes(t *testing.T) {
	registerTypes()
	deadline := time.Date(2026, 11, 22, 1, 2, 3, 456789, time.UTC)
	want := sessionValues()
	b, err := SessionCodec{}.Encode(deadline, want)
	if err != nil {
		t.Fatal(err)
	}
	gotDeadline, got, err := SessionCodec{}.Decode(b)
	if err != nil || !gotDeadline.Equal(deadline) || gotDeadline.Location() != time.UTC {
		t.Fatalf("deadline %v, %v", gotDeadline, err)
	}
	compareValues(t, got, want)
}

func compareValues(t *testing.T, got, want map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d values, want %d", len(got), len(want))
	}
	for key, value := range want {
		if at, ok := value.(time.Time); ok {
			if back, ok := got[key].(time.Time); !ok || !back.Equal(at) {
				t.Errorf("%s: %v, want %v", key, got[key], at)
			}
			continue
		}
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("%s: %T %v, want %T %v", key, got[key], got[key], value, value)
		}
	}
}

func TestSessionCodecReadsGob(t *testing.T) {
	registerTypes()
	deadline := time.Now().Add(time.Hour).UTC()
	want := sessionValues()
	delete(want, "no bytes") // gob makes it nil
	b, err := scs.GobCodec{}.Encode(deadline, want)
	if err != nil {
		t.Fatal(err)
	}
	gotDeadline, got, err := SessionCodec{}.Decode(b)
	if err != nil || !gotDeadline.Equal(deadline) {
		t.Fatalf("deadline %v, %v", gotDeadline, err)
	}
	compareValues(t, got, want)
}

func TestSessionCodecRefuses(t *testing.T) {
	if _, err := (SessionCodec{}).Encode(time.Now(), map[string]any{"x": struct{ Unregistered int }{1}}); err == nil {
		t.Error("a type that gob does not know is encoded")
	}
	good, err := SessionCodec{}.Encode(time.Now(), map[string]any{"a": "text", "n": 5})
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, _, err := (SessionCodec{}).Decode(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a session", n, len(good))
		}
	}
	if _, _, err := (SessionCodec{}).Decode(append(bytes.Clone(good), 0)); err == nil {
		t.Error("a session with a byte too many is one")
	}
}

func TestSessionCodecCopies(t *testing.T) {
	b, err := SessionCodec{}.Encode(time.Now(), map[string]any{"b": []byte("abc")})
	if err != nil {
		t.Fatal(err)
	}
	stored := bytes.Clone(b)
	_, values, err := SessionCodec{}.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	values["b"].([]byte)[0] = 'X'
	if !bytes.Equal(b, stored) {
		t.Error("changing a value changes what is stored")
	}
}

func FuzzSessionCodec(f *testing.F) {
	registerTypes()
	for _, codec := range []scs.Codec{SessionCodec{}, scs.GobCodec{}} {
		b, err := codec.Encode(time.Now(), sessionValues())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(codecMagic))
	f.Add([]byte(codecMagic + "\x00\x00\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.HasPrefix(b, []byte(codecMagic)) {
			return // gob's own business
		}
		deadline, values, err := SessionCodec{}.Decode(b)
		if err != nil {
			return
		}
		again, err := SessionCodec{}.Encode(deadline, values)
		if err != nil {
			t.Fatal(err)
		}
		back, _, err := SessionCodec{}.Decode(again)
		if err != nil || !back.Equal(deadline) {
			t.Fatalf("what was read can't be read again: %v", err)
		}
	})
}
