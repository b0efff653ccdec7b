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
	phone := &visitor{handler: desktop.handler, agent: wechattest.UserAgentPhone}
	form, err := openConfirmPage(ctx, w, phone, id)
	if err != nil {
		return err
	}
	if err := answerConfirmPage(ctx, phone, id, form); err != nil {
		return err
	}
	return finishLogin(ctx, desktop, id)
}

// openConfirmPage performs the phone's requests up to the confirm page: scan, callback,
// and the page itself. It returns the form that approves the login.
func openConfirmPage(ctx context.Context, w *world, phone *visitor, id string) (string, error) {
	scanned, err := phone.get(ctx, "/wechat/scan/"+id)
	if err != nil {
		return "", err
	}
	// WeChat's page: the user consents.
	callback, err := w.simulator.Approve(scanned.header.Get("Location"), personID)
	if err != nil {
		return "", err
	}
	if _, err := phone.get(ctx, callback); err != nil {
		return "", err
	}
	page, err := phone.get(ctx, "/wechat/confirm/"+id)
	if err != nil {
		return "", err
	}
	// The gate accepts the answer only with the form's token.
	token, err := between(string(page.body), `name="token" value="`, `"`)
	return "token=" + token + "&answer=approve", err
}

// answerConfirmPage sends the phone's answer and opens the page after it.
func answerConfirmPage(ctx context.Context, phone *visitor, id, form string) error {
	if _, err := phone.post(ctx, "/wechat/confirm/"+id, form); err != nil {
		return err
	}
	_, err := phone.get(ctx, "/wechat/confirm/"+id)
	return err
}

// finishLogin performs the desktop's requests after the approval: the login page names
// the account and finishes the login.
func finishLogin(ctx context.Context, desktop *visitor, id string) error {
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

// pollUntil sends long polls as the login page does, until the login has the given state.
func pollUntil(ctx context.Context, desktop *visitor, id, want string) error {
	for seen := "waiting"; seen != want; {
		a, err := desktop.get(ctx, "/wechat/login/"+id+"/state?seen="+seen)
		if err != nil {
			return err
		}
		if seen, err = between(string(a.body), `"state":"`, `"`); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
