package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/scangate/scangate/wechattest"
)

// openLoginPage opens the login page and returns the login's ID.
func openLoginPage(ctx context.Context, desktop *visitor) (string, error) {
	page, err := desktop.get(ctx, "/wechat/login?return_to="+url.QueryEscape(homePath))
	if err != nil {
		return "", err
	}
	return between(string(page.body), `data-state-url="/wechat/login/`, `/state"`)
}

// scanLogin performs a scan login with all requests of the desktop and the phone,
// except for the desktop's long polls: they would wait for the phone.
func scanLogin(ctx context.Context, w *world, desktop *visitor) error {
	id, err := openLoginPage(ctx, desktop)
	if err != nil {
		return err
	}
	if _, err := desktop.get(ctx, "/wechat/login/"+id+"/qr.svg"); err != nil {
		return err
	}
	// Scan, callback, confirm page, answer, and the page after the answer.
	if err := approve(ctx, w, &visitor{handler: desktop.handler, agent: wechattest.UserAgentPhone}, id); err != nil {
		return err
	}
	// After the approval, the login page names the account and finishes the login.
	if _, err := desktop.get(ctx, "/wechat/login?return_to="+url.QueryEscape(homePath)); err != nil {
		return err
	}
	done, err := desktop.post(ctx, "/wechat/login/"+id+"/finish", "")
	if err != nil {
		return err
	}
	if to := done.header.Get("Location"); to != homePath {
		return fmt.Errorf("finish: status = %d, location = %q, want %q", done.status, to, homePath)
	}
	return nil
}

// approve performs the phone's part: it scans the code and approves the login.
func approve(ctx context.Context, w *world, phone *visitor, id string) error {
	scanned, err := phone.get(ctx, "/wechat/scan/"+id)
	if err != nil {
		return err
	}
	// WeChat's page: the user consents.
	callback, err := w.simulator.Approve(scanned.header.Get("Location"), personID)
	if err != nil {
		return err
	}
	if _, err := phone.get(ctx, callback); err != nil {
		return err
	}
	page, err := phone.get(ctx, "/wechat/confirm/"+id)
	if err != nil {
		return err
	}
	// The gate accepts the answer only with the form's token.
	token, err := between(string(page.body), `name="token" value="`, `"`)
	if err != nil {
		return err
	}
	if _, err := phone.post(ctx, "/wechat/confirm/"+id, "token="+token+"&answer=approve"); err != nil {
		return err
	}
	_, err = phone.get(ctx, "/wechat/confirm/"+id)
	return err
}
