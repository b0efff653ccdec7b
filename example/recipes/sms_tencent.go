package recipes

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// TencentSMS sends one-time codes by the API SendSms of Tencent Cloud (腾讯云短信), version
// 2021-01-11, signed with TC3-HMAC-SHA256. Set Config.Phone.SendCode to its method Send.
//
// It was written by the public documentation. The tests compare the signature with the
// documentation's example, and send to a server of their own. It was not tried against the
// real service.
type TencentSMS struct {
	SecretID, SecretKey string
	AppID               string // SmsSdkAppId, such as "1400006666"
	SignName            string // 签名内容
	TemplateID          string // a template with one parameter, the code
	Region              string // such as "ap-guangzhou"
	URL                 string // "https://sms.tencentcloudapi.com"
}

// Send sends a code to a number in E.164 form.
func (s *TencentSMS) Send(ctx context.Context, phone, code string) error {
	body, err := json.Marshal(map[string]any{
		"PhoneNumberSet": []string{phone}, "SmsSdkAppId": s.AppID, "SignName": s.SignName,
		"TemplateId": s.TemplateID, "TemplateParamSet": []string{code},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	now := time.Now()
	req.Header.Set("Content-Type", tencentContentType)
	req.Header.Set("X-TC-Action", "SendSms")
	req.Header.Set("X-TC-Version", "2021-01-11")
	req.Header.Set("X-TC-Region", s.Region)
	req.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Authorization", tencentAuthorization(s.SecretID, s.SecretKey, req.URL.Host, "sms", now, body))
	var answer struct {
		Response struct {
			Error         *struct{ Code string }
			SendStatusSet []struct{ Code string }
			RequestID     string `json:"RequestId"`
		}
	}
	if err := sendSMS(req, &answer); err != nil {
		return err
	}
	// Not the answer's messages: they may quote the number, and the gate logs the error.
	result := answer.Response
	switch {
	case result.Error != nil:
		return fmt.Errorf("SendSms: %.60q, request %.60q", result.Error.Code, result.RequestID)
	case len(result.SendStatusSet) != 1 || result.SendStatusSet[0].Code != "Ok":
		return fmt.Errorf("SendSms: %.200q, request %.60q", result.SendStatusSet, result.RequestID)
	}
	return nil
}

const tencentContentType = "application/json; charset=utf-8"

// tencentAuthorization signs a POST with these headers: content-type and host.
func tencentAuthorization(id, key, host, service string, now time.Time, body []byte) string {
	date := now.UTC().Format(time.DateOnly)
	scope := date + "/" + service + "/tc3_request"
	canonical := "POST\n/\n\ncontent-type:" + tencentContentType + "\nhost:" + host + "\n\ncontent-type;host\n" + hexSHA256(body)
	text := fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s\n%s", now.Unix(), scope, hexSHA256([]byte(canonical)))
	signing := hmacSHA256([]byte("TC3"+key), date)
	for _, part := range []string{service, "tc3_request"} {
		signing = hmacSHA256(signing, part)
	}
	return "TC3-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=content-type;host, Signature=" + hex.EncodeToString(hmacSHA256(signing, text))
}

// sendSMS sends the request once, and reads the answer. A repeated request could send a
// second message.
func sendSMS(req *http.Request, answer any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if failed, ok := err.(*url.Error); ok { //nolint:errorlint // Do returns this type itself
			err = failed.Err // without the URL, which may contain the number
		}
		return fmt.Errorf("SendSms: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<20)).Decode(answer); err != nil {
		return fmt.Errorf("SendSms: status %d without JSON", resp.StatusCode)
	}
	return nil
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
