// Buttons: the plan first, then the admin token once, then the call. The token lives in this
// closure, so that closing or reloading the tab forgets it.
"use strict";

(() => {
  const dialog = document.getElementById("act");
  if (!dialog) return;
  const part = (name) => document.getElementById("act-" + name);
  const title = part("title"), plan = part("plan"), error = part("error");
  const reason = part("reason"), token = part("token");
  const go = part("go"), cancel = part("cancel");
  let kept = null;
  let asked = null; // the button's dataset
  let step = "plan"; // token → plan → done

  class Refused extends Error {}

  async function call(body) {
    let answer;
    try {
      answer = await fetch(asked.path, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: "Bearer " + kept },
        body: JSON.stringify(body),
        credentials: "omit",
      });
    } catch {
      throw new Error("The service could not be reached. Whether anything was changed is not known; look at the page before you try again.");
    }
    let told = {};
    try { told = await answer.json(); } catch { /* a proxy's page */ }
    if (answer.ok) return told;
    const why = told.error ? told.error.message : `The service answered ${answer.status}.`;
    if (answer.status === 401 || answer.status === 403) throw new Refused(why);
    throw new Error(why);
  }

  const own = () => (asked.body ? JSON.parse(asked.body) : {});
  const many = (count, one, several) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;

  const mended = { insert: "inserted into", update: "updated in", delete: "deleted from" };
  const named = (key) => Object.entries(key).map(([name, value]) => `${name} ${value}`).join(", ");

  function wouldMend(told) {
    if (!told.would_mend) return "There is nothing to mend.";
    const share = (100 * told.share).toLocaleString("en", { maximumFractionDigits: 2 });
    const words = [
      `${many(told.would_mend, "row is", "rows are")} ${mended[told.action]} ${told.table}, of ${told.named.toLocaleString("en")} that find names, ${share}% of the table. An undo can give them back.`,
      `The first: ${told.keys.map(named).join("; ")}.`,
    ];
    if (told.refused) words.push(`It would be refused: ${told.refused}`);
    return words.join("\n");
  }

  // There is nothing to agree to.
  function refusedOrNothing(told) {
    return told.refused || [told.would_mend, told.would_undo, told.would_update].includes(0);
  }

  function planned(told) {
    if ("would_mend" in told) return wouldMend(told);
    if ("would_undo" in told) {
      const rest = [];
      const touched = asked.repair ? "changed" : "viewed again";
      if (told.touched) rest.push(`${many(told.touched, "was", "were")} ${touched} since and stay`);
      if (told.gone) rest.push(`${many(told.gone, "is", "are")} gone already`);
      const also = rest.length ? ` ${rest.join("; ")}.` : "";
      if (asked.repair) {
        return told.would_undo
          ? `${many(told.would_undo, "row is", "rows are")} given back.${also}\nThe repair ${asked.repair} is suspended until somebody resumes it.`
          : `There is nothing to give back.${also}`;
      }
      return told.would_undo
        ? `${many(told.would_undo, "impression is", "impressions are")} taken back.${also}\nAutomatic healing is suspended until somebody resumes it.`
        : `There is nothing to take back.${also}`;
    }
    if ("would_update" in told) {
      return told.would_update
        ? `${many(told.would_update, "impression is", "impressions are")} written. An undo can take them back.`
        : "There is nothing to write.";
    }
    return "";
  }

  function done(told) {
    if (told.skipped) return "Skipped: the user was backfilled before.";
    if ("updated" in told) return told.updated ? `${many(told.updated, "impression was", "impressions were")} written, by run ${told.run_id}.` : "There was nothing to write.";
    if ("mended" in told) return "There was nothing to mend.";
    if ("undone" in told) return "There was nothing to take back.";
    if (told.run_id) return `Run ${told.run_id} has begun; the page shows how far it is.`;
    if (told.paused) return "Paused: nobody writes.";
    if ("suspended" in told) return "Resumed.";
    if ("was_open" in told) return told.was_open ? "The breaker is closed." : "The breaker was closed already.";
    return "Done.";
  }

  function show(next, words) {
    step = next;
    error.textContent = "";
    plan.textContent = words;
    part("token-field").hidden = next !== "token";
    token.required = next === "token";
    part("reason-field").hidden = !(next === "plan" && "reason" in asked);
    cancel.hidden = next === "done";
    go.textContent = next === "token" ? "Go on" : next === "plan" ? asked.verb : "Close";
    (next === "token" ? token : next === "plan" && "reason" in asked ? reason : plan).focus();
  }

  const wanted = () => "Buttons act with the admin token. You will see what would be done before anything is.";

  async function look() {
    if (kept === null) return show("token", wanted());
    if (!("dryRun" in asked)) return show("plan", asked.plan);
    const told = await call({ ...own(), dry_run: true });
    show(refusedOrNothing(told) ? "done" : "plan", planned(told));
  }

  async function act() {
    const body = own();
    if ("reason" in asked && reason.value.trim()) body.reason = reason.value.trim();
    show("done", done(await call(body)));
    document.dispatchEvent(new CustomEvent("acted"));
  }

  // A token that was refused is forgotten and asked for again.
  function again(caught) {
    if (!(caught instanceof Refused)) return false;
    kept = null;
    show("token", wanted());
    error.textContent = "That token was not accepted, and nothing was changed. " + caught.message;
    return true;
  }

  async function forward() {
    go.disabled = true;
    try {
      if (step === "token") {
        kept = token.value.trim();
        token.value = "";
        await look();
      } else if (step === "plan") {
        await act();
      } else {
        dialog.close();
        if (!document.body.dataset.events) location.reload();
      }
    } catch (caught) {
      if (!again(caught)) error.textContent = caught.message;
    } finally {
      go.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.act");
    if (!button) return;
    asked = { ...button.dataset };
    title.textContent = asked.title;
    reason.value = "";
    token.value = "";
    part("token-field").hidden = true;
    part("reason-field").hidden = true;
    error.textContent = "";
    plan.textContent = "Looking…";
    go.textContent = asked.verb;
    dialog.showModal();
    step = "plan";
    go.disabled = true;
    look().catch((caught) => {
      if (again(caught)) return;
      show("done", "This can’t be done now.");
      error.textContent = caught.message;
    }).finally(() => { go.disabled = false; });
  });
  cancel.addEventListener("click", () => dialog.close());
  part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    forward();
  });
})();
