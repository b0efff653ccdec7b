package recipes

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The documentation of both providers has an example with a fixed time and its signature.
func TestSignaturesOfTheDocumentation(t *testing.T) {
	body := []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`)
	got := tencentAuthorization("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm.tencentcloudapi.com", "cvm", time.Unix(1551113065, 0), body)
	want := "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, " +
		"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
	if got != want {
		t.Errorf("Tencent Cloud: Authorization = %q, want %q", got, want)
	}
	req := httptest.NewRequest(http.MethodPost, "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", nil)
	req.URL.Host = "ecs.cn-shanghai.aliyuncs.com"
	aliyunSign(req, "YourAccessKeyId", "YourAccessKeySecret", "RunInstances", "2014-05-26", time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC), "3156853299f313e23d1673dc12e1703d")
	want = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
		"Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("Alibaba Cloud: Authorization = %q, want %q", got, want)
	}
}

// provider is a fake server of a provider. It keeps the last request.
type provider struct {
	*httptest.Server
	answer string
	query  map[string][]string
	header http.Header
	body   string
	calls  int
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.query, p.header, p.body = r.URL.Query(), r.Header, string(body)
		p.calls++
		_, _ = io.WriteString(w, p.answer)
	}))
	t.Cleanup(p.Close)
	return p
}

func TestAliyunSMS(t *testing.T) {
	p := newProvider(t)
	sms := AliyunSMS{AccessKeyID: "id", AccessKeySecret: "secret", SignName: "示例 签名", TemplateCode: "SMS_1", URL: p.URL}
	p.answer = `{"Code":"OK","Message":"OK","BizId":"1^0","RequestId":"r"}`
	if err := sms.Send(t.Context(), "+8613800138000", "012345"); err != nil {
		t.Fatalf("Send: %v, want no error", err)
	}
	for name, want := range map[string]string{"PhoneNumbers": "8613800138000", "SignName": "示例 签名", "TemplateCode": "SMS_1", "TemplateParam": `{"code":"012345"}`} {
		if got := p.query[name]; len(got) != 1 || got[0] != want {
			t.Errorf("Send: %s = %q, want %q", name, got, want)
		}
	}
	if p.header.Get("X-Acs-Action") != "SendSms" || !strings.HasPrefix(p.header.Get("Authorization"), "ACS3-HMAC-SHA256 Credential=id,") {
		t.Errorf("Send: header = %v, want SendSms with a signature", p.header)
	}
	p.answer = `{"Code":"isv.BUSINESS_LIMIT_CONTROL","Message":"too many for 13800138000","RequestId":"r"}`
	checkRefusal(t, sms.Send, "isv.BUSINESS_LIMIT_CONTROL")
	p.answer = "<html>"
	checkRefusal(t, sms.Send, "without JSON")
	p.Close()
	checkRefusal(t, sms.Send, "SendSms")
}

func TestTencentSMS(t *testing.T) {
	p := newProvider(t)
	sms := TencentSMS{SecretID: "id", SecretKey: "secret", AppID: "1400006666", SignName: "示例", TemplateID: "7", Region: "ap-guangzhou", URL: p.URL}
	p.answer = `{"Response":{"SendStatusSet":[{"SerialNo":"1","PhoneNumber":"+8613800138000","Fee":1,"Code":"Ok","Message":"send success"}],"RequestId":"r"}}`
	if err := sms.Send(t.Context(), "+8613800138000", "012345"); err != nil {
		t.Fatalf("Send: %v, want no error", err)
	}
	var sent struct {
		PhoneNumberSet, TemplateParamSet []string
		SmsSdkAppID                      string `json:"SmsSdkAppId"`
		SignName                         string
		TemplateID                       string `json:"TemplateId"`
	}
	if err := json.Unmarshal([]byte(p.body), &sent); err != nil || len(sent.PhoneNumberSet) != 1 || sent.PhoneNumberSet[0] != "+8613800138000" ||
		len(sent.TemplateParamSet) != 1 || sent.TemplateParamSet[0] != "012345" || sent.SmsSdkAppID != "1400006666" || sent.TemplateID != "7" || sent.SignName != "示例" {
		t.Errorf("Send: body = %s, %v, want the number, the code, the application, the template and the signature", p.body, err)
	}
	if p.header.Get("X-Tc-Action") != "SendSms" || !strings.HasPrefix(p.header.Get("Authorization"), "TC3-HMAC-SHA256 Credential=id/") {
		t.Errorf("Send: header = %v, want SendSms with a signature", p.header)
	}
	p.answer = `{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure","Message":"for +8613800138000"},"RequestId":"r"}}`
	checkRefusal(t, sms.Send, "AuthFailure.SignatureFailure")
	p.answer = `{"Response":{"SendStatusSet":[{"PhoneNumber":"+8613800138000","Code":"LimitExceeded.PhoneNumberDailyLimit"}],"RequestId":"r"}}`
	checkRefusal(t, sms.Send, "LimitExceeded.PhoneNumberDailyLimit")
	p.answer = `{"Response":{"RequestId":"r"}}`
	checkRefusal(t, sms.Send, "SendSms")
}

// checkRefusal demands an error with that text, without the number and the code, because
// the gate logs it.
func checkRefusal(t *testing.T, send func(context.Context, string, string) error, want string) {
	t.Helper()
	err := send(t.Context(), "+8613800138000", "012345")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("Send: error = %v, want one that contains %q", err, want)
	}
	if text := err.Error(); strings.Contains(text, "13800138000") || strings.Contains(text, "012345") {
		t.Errorf("Send: error = %q, want one without the number and the code", text)
	}
}
