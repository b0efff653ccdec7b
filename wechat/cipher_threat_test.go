package wechat_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/scangate/scangate/wechat"
)

// pad returns the padding of n bytes.
func pad(n int) []byte { return bytes.Repeat([]byte{byte(n)}, n) }

// TestThreat46OneErrorForAllFailures sends pushes with well-formed values that are not
// WeChat's, most of them with a right signature. All get the same error.
func TestThreat46OneErrorForAllFailures(t *testing.T) {
	const text = "0123456789" // with the prefix, the length and the AppID 48 bytes
	flip := func(encrypt string) string { return "A" + encrypt[1:] }
	good := seal(aesKey, 10, text, appID, pad(16))
	foreign := seal(aesKey, 10, text, "wx0000000000000000", pad(16))
	for name, c := range map[string]struct {
		encrypt string
		change  func(url.Values)
	}{
		"another signature":                     {good, func(q url.Values) { q.Set("msg_signature", strings.Repeat("0", 40)) }},
		"the signature of the query":            {good, func(q url.Values) { q.Set("msg_signature", q.Get("signature")) }},
		"another nonce":                         {good, func(q url.Values) { q.Set("nonce", "n2") }},
		"another timestamp":                     {good, func(q url.Values) { q.Set("timestamp", "1414243737") }},
		"another account":                       {foreign, nil},
		"another key":                           {sealed(strings.Repeat("k", 43), text), nil},
		"a changed text":                        {flip(good), nil},
		"padding of 0":                          {seal(aesKey, 10, text, appID, bytes.Repeat([]byte{0}, 16)), nil},
		"padding of 33":                         {seal(aesKey, 10, text, appID, append(pad(15), 33)), nil},
		"padding of 255":                        {seal(aesKey, 10, text, appID, append(pad(15), 255)), nil},
		"padding that is not uniform":           {seal(aesKey, 10, text, appID, append([]byte{15}, bytes.Repeat([]byte{16}, 15)...)), nil},
		"a length beyond the end":               {seal(aesKey, 1000, text, appID, pad(16)), nil},
		"a length of 4 GiB":                     {seal(aesKey, 1<<32-1, text, appID, pad(16)), nil},
		"a length that cuts the text":           {seal(aesKey, 9, text, appID, pad(16)), nil},
		"a length that contains the AppID":      {seal(aesKey, 28, text, appID, pad(16)), nil},
		"nothing but padding":                   {seal(aesKey, 0, "", "", pad(12)), nil},
		"padding that leaves less than a text":  {seal(aesKey, 0, "", "", append(make([]byte, 11), 32)), nil},
		"an AppID with more behind it":          {seal(aesKey, 10, text, appID+"x", pad(15)), nil},
		"a message that another token has sign": {good, func(q url.Values) { q["msg_signature"] = signedQuery("other", "n", good)["msg_signature"] }},
	} {
		t.Run(name, func(t *testing.T) {
			cipher := newCipher(t, cipherConfig)
			query := signedQuery(pushToken, "n", c.encrypt)
			if c.change != nil {
				c.change(query)
			}
			plain, _, err := cipher.Decrypt(query, c.encrypt)
			if plain != nil || !errors.Is(err, wechat.ErrUnverified) || err.Error() != "wechat: push: not verified" {
				t.Errorf("Decrypt = %q, %v, want no text and the error %q", plain, err, "wechat: push: not verified")
			}
		})
	}
	cipher := newCipher(t, cipherConfig)
	if plain, _, err := cipher.Decrypt(signedQuery(pushToken, "n", good), good); string(plain) != text || err != nil {
		t.Errorf("Decrypt of the right message = %q, %v, want %q", plain, err, text)
	}
}

// TestThreat46SignatureBeforeDecryption changes messages of all kinds without signing them
// again. The error is the one for a wrong signature, so the padding has no influence.
func TestThreat46SignatureBeforeDecryption(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	good := sealed(aesKey, "hello")
	query := signedQuery(pushToken, "n", good)
	// A change of the last group could make it malformed.
	for i := range len(good) - 4 {
		changed := []byte(good)
		changed[i] = 'A' + (changed[i]+1)%26
		if _, _, err := cipher.Decrypt(query, string(changed)); err == nil || err.Error() != "wechat: push: not verified" {
			t.Errorf("Decrypt with character %d changed: error = %v, want %q", i, err, "wechat: push: not verified")
		}
	}
}

// TestThreat46ShiftedSeparators moves characters between the signed parts. The signature
// stays right, because it joins the parts without separators.
func TestThreat46ShiftedSeparators(t *testing.T) {
	cipher := newCipher(t, wechat.CipherConfig{AppID: appID, Token: "zzzzzzzzzzzzzzzz", EncodingAESKey: aesKey})
	encrypt := sealed(aesKey, "hello")
	for name, c := range map[string]struct{ timestamp, nonce, encrypt string }{
		"a digit of the nonce before Encrypt":     {"1414243737", "179210670", "4" + encrypt},
		"four digits of the nonce before Encrypt": {"1414243737", "179210", "6704" + encrypt},
		"the nonce before Encrypt":                {"1414243737", "", "1792106704" + encrypt},
		"a digit of the nonce in the timestamp":   {"14142437371", "792106704", encrypt},
		"a digit of the timestamp in the nonce":   {"141424373", "71792106704", encrypt},
		"Encrypt in the nonce":                    {"1414243737", "1792106704" + encrypt[:4], encrypt[4:]},
		"a line end in Encrypt":                   {"1414243737", "1792106704", encrypt[:4] + "\n" + encrypt[4:]},
		"no padding":                              {"1414243737", "1792106704", strings.TrimRight(encrypt, "=")},
		"a space":                                 {"1414243737", "1792106704", encrypt + " "},
		"a URL's base64":                          {"1414243737", "1792106704", strings.NewReplacer("+", "-", "/", "_").Replace(strings.Repeat("+", 43) + "=")},
		"half a block":                            {"1414243737", "1792106704", "AAAAAAAAAAAAAAAAAAAAAA=="},
		"a loose end":                             {"1414243737", "1792106704", strings.Repeat("A", 42) + "B="},
		"nothing":                                 {"1414243737", "1792106704", ""},
		"a long nonce":                            {"1414243737", strings.Repeat("1", 33), encrypt},
		"a nonce with a sign":                     {"1414243737", "17921-6704", encrypt},
		"a full-width digit":                      {"141424373７", "1792106704", encrypt},
	} {
		t.Run(name, func(t *testing.T) {
			query := url.Values{
				"timestamp": {c.timestamp}, "nonce": {c.nonce},
				"msg_signature": {signature("zzzzzzzzzzzzzzzz", c.timestamp, c.nonce, c.encrypt)},
			}
			text, _, err := cipher.Decrypt(query, c.encrypt)
			if text != nil || !errors.Is(err, wechat.ErrUnverified) || err.Error() == "wechat: push: not verified" {
				t.Errorf("Decrypt = %q, %v, want an error that matches %v and names the form", text, err, wechat.ErrUnverified)
			}
		})
	}
}

// TestThreat46DoubledParameters doubles each signed parameter.
func TestThreat46DoubledParameters(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	encrypt := sealed(aesKey, "hello")
	for _, name := range []string{"timestamp", "nonce", "msg_signature"} {
		query := signedQuery(pushToken, "n", encrypt)
		query.Add(name, query.Get(name))
		if _, _, err := cipher.Decrypt(query, encrypt); !errors.Is(err, wechat.ErrUnverified) {
			t.Errorf("Decrypt with two of %s: error = %v, want %v", name, err, wechat.ErrUnverified)
		}
	}
}
