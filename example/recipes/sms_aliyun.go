package recipes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// AliyunSMS sends one-time codes by the API SendSms of Alibaba Cloud (阿里云短信), version
// 2017-05-25, signed with ACS3-HMAC-SHA256. Set Config.Phone.SendCode to its method Send.
//
// It was written by the public documentation. The tests compare the signature with the
// documentation's example, and send to a server of their own. It was not tried against the
// real service.
type AliyunSMS struct {
	AccessKeyID, AccessKeySecret string
	SignName                     string // 短信签名名称
	TemplateCode                 string // such as "SMS_154950909", with the parameter ${code}
	URL                          string // "https://dysmsapi.aliyuncs.com"
}

// Send sends a code to a number in E.164 form.
func (s *AliyunSMS) Send(ctx context.Context, phone, code string) error {
	param, err := json.Marshal(map[string]string{"code": code})
	if err != nil {
		return err
	}
	query := url.Values{
		"PhoneNumbers": {strings.TrimPrefix(phone, "+")}, "SignName": {s.SignName},
		"TemplateCode": {s.TemplateCode}, "TemplateParam": {string(param)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/?"+aliyunQuery(query), http.NoBody)
	if err != nil {
		return err
	}
	aliyunSign(req, s.AccessKeyID, s.AccessKeySecret, "SendSms", "2017-05-25", time.Now(), rand.Text())
	var answer struct {
		Code      string
		RequestID string `json:"RequestId"`
	}
	if err := sendSMS(req, &answer); err != nil {
		return err
	}
	if answer.Code != "OK" {
		// Not the answer's Message: it may quote the number, and the gate logs the error.
		return fmt.Errorf("SendSms: %.60q, request %.60q", answer.Code, answer.RequestID)
	}
	return nil
}

// aliyunQuery encodes a query as the signature demands it: sorted, and with %20 for a blank.
func aliyunQuery(query url.Values) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(query.Encode())
}

// aliyunSign signs a request without a body. Its query must be aliyunQuery's.
func aliyunSign(req *http.Request, id, secret, action, version string, now time.Time, nonce string) {
	headers := []struct{ name, value string }{ // sorted by name
		{"host", req.URL.Host},
		{"x-acs-action", action},
		{"x-acs-content-sha256", hexSHA256(nil)},
		{"x-acs-date", now.UTC().Format(time.RFC3339)},
		{"x-acs-signature-nonce", nonce},
		{"x-acs-version", version},
	}
	var lines, names []string
	for _, h := range headers {
		lines, names = append(lines, h.name+":"+h.value+"\n"), append(names, h.name)
		if h.name != "host" {
			req.Header.Set(h.name, h.value)
		}
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{req.Method, "/", req.URL.RawQuery, strings.Join(lines, ""), signed, hexSHA256(nil)}, "\n")
	signature := hmacSHA256([]byte(secret), "ACS3-HMAC-SHA256\n"+hexSHA256([]byte(canonical)))
	req.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+id+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(signature))
}
