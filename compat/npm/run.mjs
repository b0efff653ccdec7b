// Runs one client: node run.mjs FILE ACCOUNT PERSONS. It prints one line of JSON for each step, with
// the user or the error. The test in Go compares them.
//
// A client's module exports begin(account). It returns the link to WeChat's page, and
// finish(callbackURL), which returns the user. The user may have functions check and refresh.
const [file, account, persons] = process.argv.slice(2);
const { begin } = await import(file);
const app = JSON.parse(account);

// control calls the test, which controls the simulator.
async function control(action, parameters) {
  const response = await fetch(`${process.env.CONTROL_URL}/${action}?${new URLSearchParams(parameters)}`);
  if (!response.ok) throw new Error(`${action}: ${await response.text()}`);
  return response.text();
}

// step prints the result of a step.
async function step(name, run) {
  let result;
  try {
    result = { step: name, ...(await run()) };
  } catch (error) {
    result = { step: name, error: String(error?.message || error?.code || error) };
  }
  console.log(JSON.stringify(result));
}

// approve lets a person consent, and returns the callback.
const approve = (person, link) => control("approve", { person, link });

// finishWith logs in with another code than WeChat's.
async function finishWith(code) {
  const { link, finish } = await begin(app);
  const callback = new URL(await approve("lin", link));
  callback.searchParams.set("code", code);
  return finish(callback.href);
}

for (const person of persons.split(",")) {
  let callback, finish, user;
  await step(`link ${person}`, async () => {
    const begun = await begin(app);
    finish = begun.finish;
    callback = await approve(person, begun.link);
  });
  if (!callback) continue;
  await step(`login ${person}`, async () => {
    user = await finish(callback);
    const { openid, unionid, id, nickname, picture } = user;
    return { openid, unionid, id, nickname, picture };
  });
  if (user?.check) {
    await step(`check ${person}`, user.check);
  }
  if (user?.refresh) {
    await control("expire", { person });
    await step(`refresh ${person}`, user.refresh);
  }
  await step(`used code ${person}`, () => finishWith(new URL(callback).searchParams.get("code")));
}
await step("unknown code", () => finishWith("0unknown"));
await step("refusal", async () => {
  const { link, finish } = await begin(app);
  return finish(await control("refuse", { link }));
});
await step("busy", async () => {
  const { link, finish } = await begin(app);
  const callback = await approve("lin", link);
  await control("busy", {});
  return finish(callback);
});
