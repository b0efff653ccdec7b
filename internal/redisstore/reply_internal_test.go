package redisstore

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/scangate/scangate/internal/redisconn"
	"github.com/scangate/scangate/internal/state"
)

func TestMilliseconds(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		-time.Second:                       1,
		0:                                  1,
		1:                                  1,
		time.Millisecond:                   1,
		time.Millisecond + 1:               2,
		1999 * time.Microsecond:            2,
		time.Hour:                          3_600_000,
		time.Duration(1<<63 - 1):           9_223_372_036_855,
		5*time.Minute + time.Millisecond/2: 300_001,
	} {
		if got := milliseconds(ttl); got != want {
			t.Errorf("milliseconds(%v) = %d, want %d", ttl, got, want)
		}
	}
}

// A client may return strings or bytes.
func TestParseRecord(t *testing.T) {
	for _, reply := range []any{
		[]any{[]byte("7"), []byte("value")},
		[]any{"7", "value"},
	} {
		r := parseRecord("testing", reply)
		if r.err != nil || r.version != 7 || string(r.value) != "value" {
			t.Errorf("record of %q = %q at version %d, %v, want \"value\" at version 7", reply, r.value, r.version, r.err)
		}
	}
	if r := parseRecord("testing", []any{nil, nil}); !errors.Is(r.err, state.ErrNotFound) {
		t.Errorf("record without fields: error = %v, want ErrNotFound", r.err)
	}
	for _, reply := range []any{
		nil, "text", int64(7),
		[]any{},
		[]any{"7"},
		[]any{"7", "value", "more"},
		[]any{"seven", "value"},
		[]any{"7", nil},
		[]any{nil},
		[]any{[]any{}, "value"},
		[]any{int64(7), "value"},
	} {
		r := parseRecord("testing", reply)
		if !errors.Is(r.err, redisconn.ErrReply) || r.err.Error() != "scangate: Redis: testing: a reply of unexpected form" {
			t.Errorf("record of %v: error = %v, want ErrReply", reply, r.err)
		}
	}
}

func TestParseUser(t *testing.T) {
	hash := []any{
		[]byte("nickname"), []byte("Lin"), "avatar_url", "https://example.com/lin", "phone", "+8613800138000",
		"disabled", "1", "sessions_ended_at", "1700000000000001",
		"openid:b", "o2", "openid:a", "o1", "unionid:a", "u",
	}
	user, err := parseUser("id", hash)
	want := User{
		ID: "id", Nickname: "Lin", AvatarURL: "https://example.com/lin", Phone: "+8613800138000", Disabled: true,
		SessionsEndedAt: time.UnixMicro(1_700_000_000_000_001).UTC(),
		Identities:      []Identity{{AppID: "a", OpenID: "o1", UnionID: "u"}, {AppID: "b", OpenID: "o2"}},
	}
	if err != nil || !reflect.DeepEqual(user, want) {
		t.Errorf("user = %+v, %v, want %+v", user, err, want)
	}
	if _, err := parseUser("id", []any{}); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("user of an empty hash: error = %v, want ErrNotFound", err)
	}
	for _, reply := range []any{
		nil, "text",
		[]any{"nickname"},
		[]any{"nickname", nil},
		[]any{nil, "Lin"},
		[]any{"nickname", "Lin", "sessions_ended_at", "yesterday"},
		[]any{"sessions_ended_at", ""},
	} {
		if _, err := parseUser("id", reply); !errors.Is(err, redisconn.ErrReply) {
			t.Errorf("user of %v: error = %v, want ErrReply", reply, err)
		}
	}
}

func TestValidPrefix(t *testing.T) {
	for prefix, want := range map[string]bool{
		"": true, "scangate": true, "a-B_9:c": true,
		"a}b": false, "{a": false, "a b": false, "a*": false, "a?": false, "[a]": false, "a\x00": false, "é": false, "a\r\n": false,
	} {
		if got := ValidPrefix(prefix); got != want {
			t.Errorf("ValidPrefix(%q) = %t, want %t", prefix, got, want)
		}
	}
}
