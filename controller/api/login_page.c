/* login_page - see login_page.h. The page is put together of these parts; what differs between logins is in data attributes. */
#include "controller/api/login_page.h"

const char login_page_head[] = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
			       "content=\"width=device-width\"><title>sixpn: log in</title><style>";

const char login_page_style[] = "body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:3em auto;padding:0 1em;color-scheme:light dark}"
				"input{width:100%;box-sizing:border-box;font:inherit;padding:.4em}button{font:inherit;padding:.4em 1.2em;margin:.8em 0}"
				"code{font-size:1.1em;overflow-wrap:anywhere}";

const char login_page_body[] =
	"<h1>Log in a program</h1>"
	"<p>A program asks to act for you. It says that it runs on <b id=\"name\"></b>, and comes from the address <b id=\"from\"></b>. "
	"Its code is <code id=\"code\"></code>. <b>If you did not start it just now, close this page.</b></p>"
	"<form id=\"form\"><label>Your token (it begins with sx1_)<input id=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\"></label>"
	"<button>Hand it over</button></form>"
	"<p>Or, where the command sixpn is logged in: <code id=\"command\"></code></p>"
	"<p id=\"said\" role=\"status\"></p><p><code id=\"completion\"></code></p>";

const char login_page_script[] =
	"'use strict';"
	"const d=document.body.dataset,$=id=>document.getElementById(id);"
	"$('name').textContent=d.name||'(no name)';$('from').textContent=d.from;$('code').textContent=d.code;"
	"$('command').textContent='sixpn login approve '+d.code;"
	"$('form').addEventListener('submit',async e=>{e.preventDefault();"
	"const token=$('token').value.trim();$('token').value='';"
	"try{const r=await fetch('/v1/logins/'+d.code,{method:'POST',credentials:'omit',headers:{Authorization:'Bearer '+token}});"
	"const j=await r.json();"
	"if(!r.ok){$('said').textContent=j.error.message;return}"
	"$('form').remove();"
	"if(!j.completion){$('said').textContent='Done. Go back to the program.';return}"
	"$('said').textContent='If the program asks for a code, this is it:';$('completion').textContent=j.completion;"
	"if(j.redirect_port)await fetch('http://127.0.0.1:'+j.redirect_port+'/callback?code='+encodeURIComponent(j.completion)+'&state='+"
	"encodeURIComponent(j.state),{mode:'no-cors',credentials:'omit'})"
	"}catch(x){if($('form'))$('said').textContent='The controller could not be reached.'}});";

const char login_page_end[] = "</script></body></html>\n";
