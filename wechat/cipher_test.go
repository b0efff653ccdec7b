package wechat_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scangate/scangate/wechat"
)

const (
	pushToken = "t0kent0kent0kent0ken"
	aesKey    = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	formerKey = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"
)

var cipherConfig = wechat.CipherConfig{AppID: appID, Token: pushToken, EncodingAESKey: aesKey, FormerEncodingAESKey: formerKey}

// newCipher returns a cipher.
func newCipher(t testing.TB, config wechat.CipherConfig) *wechat.Cipher {
	t.Helper()
	c, err := wechat.NewCipher(config)
	if err != nil {
		t.Fatalf("NewCipher: %v", err)
	}
	return c
}

// signature returns WeChat's signature of its parts. It is written a second time, so that
// a bug in the package cannot hide one here.
func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// signedQuery returns the query of a push at the present time, signed with the token. In a
// bubble of synctest, which begins in 2000, the timestamp has a zero before it.
func signedQuery(token, nonce, encrypt string) url.Values {
	timestamp := fmt.Sprintf("%010d", time.Now().Unix())
	return url.Values{
		"timestamp": {timestamp}, "nonce": {nonce}, "encrypt_type": {"aes"},
		"signature": {signature(token, timestamp, nonce)}, "msg_signature": {signature(token, timestamp, nonce, encrypt)},
	}
}

// seal encrypts a text as WeChat does. length is the length that it declares, and padding
// is added as it is.
func seal(encodedKey string, length int, text, appID string, padding []byte) string {
	key, err := base64.StdEncoding.DecodeString(encodedKey + "=")
	if err != nil {
		panic(err)
	}
	plain := append(binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), uint32(length)), text+appID...)
	plain = append(plain, padding...)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// sealed encrypts a text correctly.
func sealed(encodedKey, text string) string {
	n := 32 - (20+len(text)+len(appID))%32
	return seal(encodedKey, len(text), text, appID, bytes.Repeat([]byte{byte(n)}, n))
}

// TestCipherVectors decrypts messages that other programs encrypted. The second one is an
// example of WeChat's.
func TestCipherVectors(t *testing.T) {
	for name, c := range map[string]struct {
		appID, token, timestamp, nonce, signature, encrypt, want string
	}{
		"a scan": {
			"wxbad0b45542aa0b5e", "weixin", "1414243737", "1792106704", "881f93c358035168e395efd491669a2c835d1455",
			"p+r0iQqiVGZ/wFZFbB/y3/dH0oltDJhHKfYmxS3L53NG0clqKv9RKypusrFbg9dgf7YnPCF1vpADZ+cjco44mN56OtqWe4oqQMmuyyNwX+7mDPOrKOMpcxSxYc3Jusyi",
			"<xml><Event>SCAN</Event></xml>",
		},
		"a text": {
			"wx2c2769f8efd9abc2", "spamtest", "1409735669", "1320562132", "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
			"hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=",
			"<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName>\n<FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]></FromUserName>\n<CreateTime>1409735668</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[abcdteT]]></Content>\n<MsgId>6054768590064713728</MsgId>\n</xml>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cipher := newCipher(t, wechat.CipherConfig{AppID: c.appID, Token: c.token, EncodingAESKey: aesKey})
			query := url.Values{"timestamp": {c.timestamp}, "nonce": {c.nonce}, "msg_signature": {c.signature}}
			text, key, err := cipher.Decrypt(query, c.encrypt)
			if strings.TrimSpace(string(text)) != c.want || key != wechat.CurrentKey || err != nil {
				t.Errorf("Decrypt = %q, key %d, %v, want %q, key 0 and no error", text, key, err, c.want)
			}
		})
	}
}

// TestEchoVectors answers checks of a push URL with known signatures.
func TestEchoVectors(t *testing.T) {
	for _, c := range []struct{ token, timestamp, nonce, signature string }{
		{"AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"weixin", "1414243737", "1792106704", "35703636de2f9df2a77a662b68e521ce17c34db4"},
	} {
		cipher := newCipher(t, wechat.CipherConfig{AppID: appID, Token: c.token, EncodingAESKey: aesKey})
		query := url.Values{"timestamp": {c.timestamp}, "nonce": {c.nonce}, "signature": {c.signature}, "echostr": {"5838479218127813673"}}
		if echo, err := cipher.Echo(query); echo != "5838479218127813673" || err != nil {
			t.Errorf("Echo of %s = %q, %v, want 5838479218127813673", c.signature, echo, err)
		}
	}
}

func TestEchoIsStrict(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	for name, change := range map[string]func(url.Values){
		"another signature":  func(q url.Values) { q.Set("signature", strings.Repeat("0", 40)) },
		"a msg_signature":    func(q url.Values) { q.Set("msg_signature", q.Get("signature")); q.Del("signature") },
		"no echostr":         func(q url.Values) { q.Del("echostr") },
		"an empty echostr":   func(q url.Values) { q.Set("echostr", "") },
		"two of echostr":     func(q url.Values) { q.Add("echostr", "2") },
		"markup in echostr":  func(q url.Values) { q.Set("echostr", "<script>") },
		"a long echostr":     func(q url.Values) { q.Set("echostr", strings.Repeat("1", 129)) },
		"two timestamps":     func(q url.Values) { q.Add("timestamp", q.Get("timestamp")) },
		"another timestamp":  func(q url.Values) { q.Set("timestamp", "1414243737") },
		"no nonce":           func(q url.Values) { q.Del("nonce") },
		"a capital in a hex": func(q url.Values) { q.Set("signature", strings.ToUpper(q.Get("signature"))) },
	} {
		query := signedQuery(pushToken, "a1b2c3f", "")
		query.Set("echostr", "1")
		if echo, err := cipher.Echo(query); echo != "1" || err != nil {
			t.Fatalf("Echo = %q, %v, want 1", echo, err)
		}
		change(query)
		if echo, err := cipher.Echo(query); echo != "" || !errors.Is(err, wechat.ErrUnverified) {
			t.Errorf("Echo with %s = %q, %v, want %v", name, echo, err, wechat.ErrUnverified)
		}
	}
}

// TestMalformedSignature reads the error, which the log of a refused push has.
func TestMalformedSignature(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	for _, signature := range []string{"", strings.Repeat("0", 39), strings.Repeat("0", 41), strings.Repeat("0", 39) + "g", strings.Repeat("é", 20)} {
		query := signedQuery(pushToken, "a1b2c3f", "")
		query.Set("echostr", "1")
		query.Set("signature", signature)
		if _, err := cipher.Echo(query); !errors.Is(err, wechat.ErrUnverified) || !strings.Contains(err.Error(), "40 hexadecimal digits") {
			t.Errorf("Echo with the signature %q: error = %v, want one about 40 hexadecimal digits", signature, err)
		}
	}
}

func TestCipherKeys(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	for key, encoded := range []string{wechat.CurrentKey: aesKey, wechat.FormerKey: formerKey} {
		encrypt := sealed(encoded, "hello")
		text, got, err := cipher.Decrypt(signedQuery(pushToken, "n", encrypt), encrypt)
		if string(text) != "hello" || got != wechat.Key(key) || err != nil {
			t.Fatalf("Decrypt under key %d = %q, key %d, %v, want hello", key, text, got, err)
		}
		// The reply is encrypted with the same key: a cipher that has only this one
		// decrypts it.
		reply := cipher.Encrypt([]byte("answer"), got)
		query := url.Values{"timestamp": {strconv.FormatInt(reply.TimeStamp, 10)}, "nonce": {reply.Nonce}, "msg_signature": {reply.MsgSignature}}
		other := newCipher(t, wechat.CipherConfig{AppID: appID, Token: pushToken, EncodingAESKey: encoded})
		if text, _, err := other.Decrypt(query, reply.Encrypt); string(text) != "answer" || err != nil {
			t.Errorf("Decrypt of the reply under key %d = %q, %v, want answer", key, text, err)
		}
	}
	// A message under a key that was never configured.
	other := newCipher(t, wechat.CipherConfig{AppID: appID, Token: pushToken, EncodingAESKey: aesKey})
	encrypt := sealed(formerKey, "hello")
	if text, _, err := other.Decrypt(signedQuery(pushToken, "n", encrypt), encrypt); !errors.Is(err, wechat.ErrUnverified) {
		t.Errorf("Decrypt under another key = %q, %v, want %v", text, err, wechat.ErrUnverified)
	}
}

func TestEncryptedRepliesDiffer(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	first, second := cipher.Encrypt([]byte("answer"), wechat.CurrentKey), cipher.Encrypt([]byte("answer"), wechat.CurrentKey)
	if first.Encrypt == second.Encrypt || first.Nonce == second.Nonce || first.MsgSignature == second.MsgSignature {
		t.Errorf("two encryptions of one text = %+v and %+v, want different ones", first, second)
	}
}

func TestCipherConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wechat.CipherConfig)
		want   string
	}{
		"nothing":         {func(c *wechat.CipherConfig) { *c = wechat.CipherConfig{} }, `wechat: CipherConfig.AppID is not "wx" and 16 characters of a-z and 0-9; CipherConfig.Token is not 3 to 32 letters and digits; CipherConfig.EncodingAESKey is not 43 letters and digits`},
		"a short token":   {func(c *wechat.CipherConfig) { c.Token = "ab" }, "wechat: CipherConfig.Token is not 3 to 32 letters and digits"},
		"a long token":    {func(c *wechat.CipherConfig) { c.Token = strings.Repeat("a", 33) }, "wechat: CipherConfig.Token is not 3 to 32 letters and digits"},
		"a space":         {func(c *wechat.CipherConfig) { c.Token += " " }, "wechat: CipherConfig.Token is not 3 to 32 letters and digits"},
		"a short key":     {func(c *wechat.CipherConfig) { c.EncodingAESKey = aesKey[1:] }, "wechat: CipherConfig.EncodingAESKey is not 43 letters and digits"},
		"a padded key":    {func(c *wechat.CipherConfig) { c.EncodingAESKey += "=" }, "wechat: CipherConfig.EncodingAESKey is not 43 letters and digits"},
		"a line end":      {func(c *wechat.CipherConfig) { c.EncodingAESKey = aesKey[1:] + "\n" }, "wechat: CipherConfig.EncodingAESKey is not 43 letters and digits"},
		"the former key":  {func(c *wechat.CipherConfig) { c.FormerEncodingAESKey = "x" }, "wechat: CipherConfig.FormerEncodingAESKey is not 43 letters and digits"},
		"the AppID":       {func(c *wechat.CipherConfig) { c.AppID = "gh_1234567890ab" }, `wechat: CipherConfig.AppID is not "wx" and 16 characters of a-z and 0-9`},
		"no former key":   {func(c *wechat.CipherConfig) { c.FormerEncodingAESKey = "" }, ""},
		"the same as now": {func(c *wechat.CipherConfig) { c.FormerEncodingAESKey = c.EncodingAESKey }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := cipherConfig
			c.change(&config)
			_, err := wechat.NewCipher(config)
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("NewCipher: error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestCipherPrintsWithoutSecrets(t *testing.T) {
	cipher := newCipher(t, cipherConfig)
	for name, value := range map[string]any{
		"config": cipherConfig, "config's pointer": &cipherConfig, "config in a struct": struct{ C wechat.CipherConfig }{cipherConfig},
		"cipher": cipher, "cipher's value": *cipher, "cipher in a struct": struct{ c *wechat.Cipher }{cipher},
	} {
		text := fmt.Sprintf("%v %+v %#v %s %q", value, value, value, value, value)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info(name, "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info(name, "value", value)
		marshaled, _ := json.Marshal(value) // a cipher cannot be marshaled
		for _, private := range []string{pushToken, aesKey, formerKey} {
			if all := text + log.String() + string(marshaled); strings.Contains(all, private) {
				t.Errorf("%s = %s, want no %s in it", name, all, private)
			}
		}
	}
}
