#include "guard/rules.hpp"

#include <gtest/gtest.h>

#include <set>

#include "guard/rules_check.hpp"
#include "guard/rules_table.hpp"

namespace popvault::guard {
namespace {

using Verdict = Ruling::Verdict;

enum class On { root, page, frame, worker, tab, processor, processor_live, sealed, live };

const Names kHidden{"PSP"};
const Names kStreams{"7"};

Place place_of(On on) {
  Place place;
  place.exchange = "/home/owner/exchange";
  place.hidden_frames = &kHidden;
  place.streams = &kStreams;
  place.kind = on == On::root     ? Place::Kind::browser
               : on == On::frame  ? Place::Kind::frame
               : on == On::worker ? Place::Kind::worker
               : on == On::tab    ? Place::Kind::tab
                                  : Place::Kind::page;
  place.processor = on == On::processor || on == On::processor_live;
  place.live = on == On::live || on == On::processor_live;
  place.sealed = on == On::sealed;
  return place;
}

Json json(const char* text) {
  const auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}

Ruling rule(On on, const char* method, const char* params = "{}") { return rule_command(method, json(params), place_of(on)); }

struct Case {
  On on;
  const char* method;
  const char* params;
};

void all(Verdict wanted, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const Ruling ruling = rule(one.on, one.method, one.params);
    EXPECT_EQ(static_cast<int>(ruling.verdict), static_cast<int>(wanted))
        << one.method << " " << one.params << " on " << static_cast<int>(one.on) << ": " << ruling.why;
    EXPECT_EQ(ruling.why.empty(), wanted != Verdict::refuse) << one.method;
  }
}

TEST(Rules, WhatClientsDoOnOrdinaryPages) {
  all(Verdict::pass,
      {
          {On::root, "Target.setDiscoverTargets", R"({"discover":true,"filter":[{}]})"},
          {On::root, "Target.setAutoAttach",
           R"({"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":[{"type":"page","exclude":true},{}]})"},
          {On::tab, "Target.setAutoAttach", R"({"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true,"filter":[{}]})"},
          {On::page, "Target.setAutoAttach", R"({"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":true})"},
          {On::page, "Target.setAutoAttach", R"({"autoAttach":false,"waitForDebuggerOnStart":false})"},
          {On::root, "Target.attachToTarget", R"({"targetId":"T","flatten":true})"},
          {On::root, "Target.createBrowserContext", R"({"disposeOnDetach":true})"},
          {On::root, "Target.createTarget", R"({"url":"about:blank","browserContextId":"C"})"},
          {On::root, "Target.getBrowserContexts", "{}"},
          {On::root, "Browser.getVersion", "{}"},
          {On::root, "Storage.getCookies", R"({"browserContextId":"C"})"},
          {On::tab, "Runtime.runIfWaitingForDebugger", "{}"},
          {On::page, "Page.enable", "null"},
          {On::page, "Page.getFrameTree", "{}"},
          {On::page, "Page.navigate", R"({"url":"https://shop.example/a?b=c d#e","referrer":"","frameId":"F","referrerPolicy":"unsafeUrl"})"},
          {On::page, "Page.addScriptToEvaluateOnNewDocument", R"({"source":"1","worldName":"utility"})"},
          {On::page, "Page.setInterceptFileChooserDialog", R"({"enabled":true})"},
          {On::page, "Page.captureScreenshot", R"({"format":"png","captureBeyondViewport":false})"},
          {On::page, "Page.printToPDF", R"({"transferMode":"ReturnAsStream"})"},
          {On::page, "Page.handleJavaScriptDialog", R"({"accept":true})"},
          {On::page, "IO.read", R"({"handle":"7"})"},
          {On::page, "Runtime.evaluate", R"({"expression":"1+1","contextId":3,"returnByValue":true})"},
          {On::frame, "Runtime.callFunctionOn", R"({"functionDeclaration":"x=>x","objectId":"1","arguments":[]})"},
          {On::worker, "Runtime.evaluate", R"({"expression":"self","includeCommandLineAPI":false})"},
          {On::worker, "Network.enable", "{}"},
          {On::page, "Network.getResponseBody", R"({"requestId":"1"})"},
          {On::page, "Accessibility.getFullAXTree", R"({"frameId":"F"})"},
          {On::page, "Emulation.setDeviceMetricsOverride", R"({"width":1,"height":1,"deviceScaleFactor":1,"mobile":false})"},
          {On::page, "Emulation.setLocaleOverride", R"({"locale":"de"})"},
          {On::page, "Emulation.setUserAgentOverride", R"({"userAgent":"x","acceptLanguage":"de"})"},
          {On::page, "Emulation.setScriptExecutionDisabled", R"({"value":true})"},
          {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange/a/b.pdf"],"backendNodeId":1})"},
          {On::page, "DOM.setFileInputFiles", R"({"files":[]})"},
          {On::page, "Input.dispatchDragEvent", R"({"type":"drop","x":1,"y":1,"data":{"items":[],"dragOperationsMask":1}})"},
          {On::page, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"a","modifiers":2,"commands":["selectAll"]})"},
          {On::root, "Browser.grantPermissions", R"({"permissions":["geolocation","clipboardReadWrite"],"browserContextId":"C"})"},
          {On::root, "Browser.setPermission", R"({"permission":{"name":"geolocation"},"setting":"granted"})"},
          {On::page, "Page.captureScreenshot", R"({"fromSurface":true})"},
          {On::live, "Runtime.evaluate", R"({"expression":"1"})"},
          {On::live, "Page.captureScreenshot", "{}"},
      });
}

TEST(Rules, Never) {
  std::vector<Case> never{
      {On::root, "Target.exposeDevToolsProtocol", R"({"targetId":"T"})"},
      {On::root, "Target.sendMessageToTarget", R"({"message":"{}"})"},
      {On::root, "Target.attachToTarget", R"({"targetId":"T"})"},
      {On::root, "Target.attachToTarget", R"({"targetId":"T","flatten":false})"},
      {On::root, "Target.attachToTarget", R"({"targetId":"T","flatten":1})"},
      {On::page, "Target.setAutoAttach", R"({"autoAttach":true,"waitForDebuggerOnStart":true})"},
      {On::page, "Target.setAutoAttach", R"({"autoAttach":true,"waitForDebuggerOnStart":true,"flatten":false})"},
      {On::page, "Target.setAutoAttach", R"({"autoAttach":"false","waitForDebuggerOnStart":true})"},
      {On::root, "Target.setRemoteLocations", R"({"locations":[{"host":"127.0.0.1","port":9222}]})"},
      {On::root, "Target.autoAttachRelated", R"({"targetId":"T","waitForDebuggerOnStart":true})"},
      {On::root, "Target.openDevTools", R"({"targetId":"T"})"},
      {On::root, "Target.createBrowserContext", R"({"proxyServer":"http://127.0.0.1:1"})"},
      {On::root, "Target.createBrowserContext", R"({"proxyBypassList":""})"},
      {On::root, "Target.createBrowserContext", R"({"originsWithUniversalNetworkAccess":["https://a.example"]})"},
      {On::root, "Target.createTarget", R"({"url":"file:///etc/passwd"})"},
      {On::root, "Target.createTarget", R"({"browserContextId":"C"})"},
      {On::root, "Target.createTarget", R"({"url":"about:blank","hidden":true})"},
      {On::root, "Target.createTarget", R"({"url":"about:blank","enableBeginFrameControl":true})"},
      {On::page, "Target.createTarget", R"({"url":"about:blank"})"},
      {On::page, "Page.navigate", R"({"url":"chrome://settings"})"},
      {On::page, "Page.navigate", R"({"url":"https://a.example","referrer":"file:///a"})"},
      {On::page, "Page.navigate", R"({"url":["https://a.example"]})"},
      {On::page, "Page.navigate", R"({"url":"https://a.example","unheardOf":1})"},
      {On::page, "Page.reload", R"({"scriptToEvaluateOnLoad":"1"})"},
      {On::page, "Page.addScriptToEvaluateOnNewDocument", R"({"source":"1","includeCommandLineAPI":true})"},
      {On::page, "Page.createIsolatedWorld", R"({"frameId":"PSP"})"},
      {On::page, "Accessibility.getFullAXTree", R"({"frameId":"PSP"})"},
      {On::page, "Page.setBypassCSP", R"({"enabled":true})"},
      {On::page, "Page.crash", "{}"},
      {On::page, "Page.captureSnapshot", "{}"},
      {On::page, "Page.captureScreenshot", R"({"fromSurface":false})"},
      {On::root, "Browser.grantPermissions", R"({"permissions":["geolocation","displayCapture"]})"},
      {On::root, "Browser.grantPermissions", R"({"permissions":"geolocation"})"},
      {On::root, "Browser.setPermission", R"({"permission":{"name":"display-capture"},"setting":"granted"})"},
      {On::root, "Browser.setPermission", R"({"setting":"granted"})"},
      {On::page, "Page.setDocumentContent", R"({"frameId":"F","html":""})"},
      {On::root, "Page.navigate", R"({"url":"https://a.example"})"},
      {On::root, "Browser.crash", "{}"},
      {On::root, "Browser.crashGpuProcess", "{}"},
      {On::root, "Browser.getBrowserCommandLine", "{}"},
      {On::page, "Runtime.evaluate", R"({"expression":"1","includeCommandLineAPI":true})"},
      {On::page, "Runtime.queryObjects", R"({"prototypeObjectId":"1"})"},
      {On::page, "Network.enable", R"({"enableDurableMessages":true})"},
      {On::page, "Network.loadNetworkResource", R"({"url":"https://a.example","options":{}})"},
      {On::page, "Network.replayXHR", R"({"requestId":"1"})"},
      {On::page, "Network.streamResourceContent", R"({"requestId":"1"})"},
      {On::page, "Network.setRequestInterception", R"({"patterns":[{}]})"},
      {On::page, "Network.takeResponseBodyForInterceptionAsStream", R"({"interceptionId":"1"})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/etc/passwd"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange/"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange2/a"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange/../.ssh/id"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange/./a"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange//a"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["/home/owner/exchange/a\u0000b"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":["a"]})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":"/home/owner/exchange/a"})"},
      {On::page, "DOM.setFileInputFiles", R"({"files":[["/etc/passwd"]]})"},
      {On::page, "DOM.setFileInputFiles", "{}"},
      {On::page, "Input.dispatchDragEvent", R"({"type":"drop","x":1,"y":1,"data":{"items":[],"files":["/etc/passwd"]}})"},
      {On::page, "Input.setIgnoreInputEvents", R"({"ignore":true})"},
      {On::page, "IO.read", R"({"handle":"1"})"},
      {On::page, "IO.read", "{}"},
      {On::page, "IO.close", R"({"handle":"1"})"},
      {On::page, "IO.resolveBlob", R"({"objectId":"1"})"},
      {On::live, "Emulation.setScriptExecutionDisabled", R"({"value":true})"},
      {On::page, "Emulation.setVirtualTimePolicy", R"({"policy":"pause"})"},
      {On::worker, "Page.navigate", R"({"url":"https://a.example"})"},
      {On::root, "Runtime.evaluate", R"({"expression":"1"})"},
      {On::tab, "Runtime.evaluate", R"({"expression":"1"})"},
      {On::page, "Runtime.evaluate", "[]"},
      {On::page, "runtime.evaluate", "{}"},
      {On::page, "Runtime.evaluate ", "{}"},
      {On::page, "", "{}"},
      {On::page, "Popvault.begin", "{}"},
  };
  all(Verdict::refuse, never);
}

// Domains that no method of is ever passed, whatever it is.
TEST(Rules, DomainsThatAreRefusedWhole) {
  for (const char* domain :
       {"Ads", "Autofill", "BackgroundService", "BluetoothEmulation", "CacheStorage", "Cast", "Debugger", "DeviceAccess", "DigitalCredentials", "DOMStorage",
        "EventBreakpoints", "Extensions", "FedCm", "Fetch", "FileSystem", "FindInPage", "HeadlessExperimental", "HeapProfiler", "IndexedDB", "LayerTree",
        "Memory", "PWA", "Profiler", "Security", "ServiceWorker", "SmartCardEmulation", "SystemInfo", "Tethering", "Tracing", "WebAuthn"}) {
    std::size_t seen = 0;
    for (const std::string& name : command_names())
      if (name.substr(0, name.find('.')) == domain) {
        ++seen;
        for (const On on : {On::root, On::page, On::frame, On::worker, On::sealed})
          EXPECT_EQ(rule_command(name, Json::Object{}, place_of(on)).verdict, Verdict::refuse) << name;
      }
    EXPECT_GT(seen, 0u) << domain;
    for (const std::string& name : event_names())
      if (name.substr(0, name.find('.')) == domain) EXPECT_EQ(event_rule(name, place_of(On::page)), EventRule::drop) << name;
  }
}

TEST(Rules, AnsweredWithoutEffect) {
  for (const char* method : {"Browser.close", "Audits.enable", "WebMCP.enable"}) {
    const Ruling ruling = rule(On::root, method);
    EXPECT_EQ(ruling.verdict, Verdict::answer) << method;
    EXPECT_EQ(ruling.result.dump(), "{}");
  }
}

TEST(Rules, ProcessorsPages) {
  all(Verdict::pass, {
                         {On::processor, "Input.dispatchMouseEvent", R"({"type":"mousePressed","x":1,"y":1,"button":"left","clickCount":3})"},
                         {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"A","text":"A","modifiers":8})"},
                         {On::processor, "Input.insertText", R"({"text":"me@a.example"})"},
                         {On::processor, "Page.navigate", R"({"url":"https://shop.example"})"},
                         {On::processor, "Page.close", "{}"},
                         {On::processor, "Page.bringToFront", "{}"},
                         {On::processor, "Page.getFrameTree", "{}"},
                         {On::processor, "Runtime.runIfWaitingForDebugger", "{}"},
                         {On::processor_live, "Page.captureScreenshot", "{}"},
                     });
  all(Verdict::refuse, {
                           {On::processor, "Page.captureScreenshot", "{}"},
                           {On::processor, "Page.startScreencast", "{}"},
                           {On::processor_live, "Page.startScreencast", "{}"},
                           {On::processor_live, "Page.printToPDF", "{}"},
                           {On::processor_live, "Runtime.evaluate", R"({"expression":"1"})"},
                           {On::processor, "Page.addScriptToEvaluateOnNewDocument", R"({"source":"1"})"},
                           {On::processor, "Page.createIsolatedWorld", R"({"frameId":"F"})"},
                           {On::processor, "DOM.getDocument", "{}"},
                           {On::processor, "DOMSnapshot.captureSnapshot", R"({"computedStyles":[]})"},
                           {On::processor, "Accessibility.getFullAXTree", "{}"},
                           {On::processor, "Network.getResponseBody", R"({"requestId":"1"})"},
                           {On::processor, "Network.enable", "{}"},
                           {On::processor, "Page.reload", "{}"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","modifiers":2})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","modifiers":2.0})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","modifiers":4})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","commands":["copy"]})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","commands":"copy"})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Delete","modifiers":8})"},
                           {On::processor, "Input.dispatchKeyEvent", R"({"type":"keyDown","windowsVirtualKeyCode":46,"modifiers":8})"},
                           {On::processor, "Input.dispatchDragEvent", R"({"type":"drop","x":1,"y":1,"data":{"items":[]}})"},
                       });
}

TEST(Rules, SealedPages) {
  all(Verdict::pass, {
                         {On::sealed, "Input.dispatchMouseEvent",
                          R"({"type":"mouseMoved","button":"none","buttons":0,"x":1,"y":1,"modifiers":0,"force":0})"},
                         {On::sealed, "Input.dispatchMouseEvent",
                          R"({"type":"mousePressed","button":"left","buttons":1,"x":1,"y":1,"modifiers":0,"clickCount":1,"force":0.5})"},
                         {On::sealed, "Input.dispatchMouseEvent",
                          R"({"type":"mouseReleased","button":"left","buttons":0,"x":1,"y":1,"modifiers":0,"clickCount":1})"},
                         {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseWheel","x":1,"y":1,"deltaX":0,"deltaY":9})"},
                         {On::sealed, "Input.dispatchKeyEvent",
                          R"({"type":"keyDown","modifiers":0,"windowsVirtualKeyCode":13,"code":"Enter","commands":[],"key":"Enter","text":"\r","unmodifiedText":"\r","autoRepeat":false,"location":0,"isKeypad":false})"},
                         {On::sealed, "Input.dispatchKeyEvent", R"({"type":"rawKeyDown","key":"PageDown","code":"PageDown"})"},
                         {On::sealed, "Page.navigate", R"({"url":"about:blank"})"},
                         {On::sealed, "Page.close", "{}"},
                         {On::sealed, "Page.handleJavaScriptDialog", R"({"accept":false})"},
                         {On::sealed, "Runtime.releaseObject", R"({"objectId":"1"})"},
                     });
  all(Verdict::refuse,
      {
          {On::sealed, "Page.captureScreenshot", "{}"},
          {On::sealed, "Page.captureSnapshot", "{}"},
          {On::sealed, "Page.startScreencast", "{}"},
          {On::sealed, "Page.printToPDF", "{}"},
          {On::sealed, "Page.getFrameTree", "{}"},
          {On::sealed, "Page.getNavigationHistory", "{}"},
          {On::sealed, "Page.getResourceContent", R"({"frameId":"F","url":"https://a.example"})"},
          {On::sealed, "Page.reload", "{}"},
          {On::sealed, "Page.addScriptToEvaluateOnNewDocument", R"({"source":"1"})"},
          {On::sealed, "Runtime.evaluate", R"({"expression":"1"})"},
          {On::sealed, "Runtime.callFunctionOn", R"({"functionDeclaration":"x"})"},
          {On::sealed, "Runtime.getProperties", R"({"objectId":"1"})"},
          {On::sealed, "Runtime.addBinding", R"({"name":"b"})"},
          {On::sealed, "DOM.getDocument", "{}"},
          {On::sealed, "DOM.describeNode", "{}"},
          {On::sealed, "DOM.setFileInputFiles", R"({"files":[]})"},
          {On::sealed, "Accessibility.getFullAXTree", "{}"},
          {On::sealed, "CSS.getMatchedStylesForNode", R"({"nodeId":1})"},
          {On::sealed, "Network.getRequestPostData", R"({"requestId":"1"})"},
          {On::sealed, "Network.setExtraHTTPHeaders", R"({"headers":{}})"},
          {On::sealed, "Browser.grantPermissions", R"({"permissions":["clipboardReadWrite"]})"},
          {On::sealed, "Input.insertText", R"({"text":"a"})"},
          {On::sealed, "Input.imeSetComposition", R"({"text":"a","selectionStart":0,"selectionEnd":0})"},
          {On::sealed, "Input.dispatchTouchEvent", R"({"type":"touchStart","touchPoints":[]})"},
          {On::sealed, "Input.dispatchDragEvent", R"({"type":"drop","x":1,"y":1,"data":{"items":[]}})"},
          {On::sealed, "Input.setInterceptDrags", R"({"enabled":true})"},
          {On::sealed, "Input.synthesizeTapGesture", R"({"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseMoved","button":"left","buttons":1,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseMoved","button":"none","buttons":1,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseMoved","button":"left","buttons":0,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseMoved","button":"none","buttons":1.5,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mouseMoved","button":1,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mousePressed","button":"left","clickCount":2,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mousePressed","button":"middle","clickCount":1,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mousePressed","button":"right","clickCount":1,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"type":"mousePressed","button":"left","clickCount":1,"modifiers":8,"x":1,"y":1})"},
          {On::sealed, "Input.dispatchMouseEvent", R"({"x":1,"y":1})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"a","text":"a"})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"c","modifiers":2})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Enter","text":"x"})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"rawKeyDown","key":"Tab","code":"Tab"})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"rawKeyDown","key":"Tab","modifiers":8})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Enter","code":"KeyC","modifiers":0})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Enter","windowsVirtualKeyCode":67})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Enter","keyIdentifier":"U+0043"})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"Enter","commands":["copy"]})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"char","text":"a"})"},
          {On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyDown","key":"ArrowUp","modifiers":8})"},
      });
}

TEST(Rules, SealedWinsOverProcessorAndLive) {
  Place place = place_of(On::processor_live);
  place.sealed = true;
  for (const char* method : {"Page.captureScreenshot", "Page.getFrameTree", "Input.insertText", "Page.getLayoutMetrics"})
    EXPECT_EQ(rule_command(method, Json::Object{}, place).verdict, Verdict::refuse) << method;
}

// Of all the table passes, only this may pass on a page that holds real values. A new row needs a look here.
TEST(Rules, WhatIsLeftOfASealedPage) {
  std::set<std::string> left;
  for (const std::string& name : command_names()) {
    const CommandRow& row = *command_row(name);
    if (row.kind == CommandRow::Kind::pass && row.pages == OnPages::always && (static_cast<unsigned>(row.sessions) & 12u)) left.insert(name);
  }
  for (const std::string& name : left) {
    const std::string method = name.substr(name.find('.') + 1);
    const bool harmless = method == "disable" || name.rfind("Target.", 0) == 0 || name.rfind("Browser.", 0) == 0 || name.rfind("Input.", 0) == 0 ||
                          method.rfind("release", 0) == 0 || method.rfind("remove", 0) == 0 || method.rfind("stop", 0) == 0;
    static const std::set<std::string> kOthers{
        "DOM.discardSearchResults", "Emulation.canEmulate", "Emulation.clearDeviceMetricsOverride", "Emulation.setDeviceMetricsOverride",
        "Emulation.setEmulatedMedia", "Emulation.setFocusEmulationEnabled", "Emulation.setTouchEmulationEnabled", "Inspector.enable", "Log.enable",
        "Overlay.hideHighlight", "Page.bringToFront", "Page.clearDeviceMetricsOverride", "Page.close", "Page.enable", "Page.handleJavaScriptDialog",
        "Page.navigate", "Page.screencastFrameAck", "Page.setDeviceMetricsOverride", "Page.setDownloadBehavior", "Page.setInterceptFileChooserDialog",
        "Page.setLifecycleEventsEnabled", "Page.setTouchEmulationEnabled", "Runtime.enable", "Runtime.runIfWaitingForDebugger", "Schema.getDomains"};
    EXPECT_TRUE(harmless || kOthers.contains(name)) << name;
  }
}

TEST(Rules, DownloadsGoToTheExchangeFolder) {
  const Ruling moved = rule(On::root, "Browser.setDownloadBehavior", R"({"behavior":"allowAndName","downloadPath":"/tmp/x","eventsEnabled":true})");
  ASSERT_TRUE(moved.params);
  EXPECT_EQ(moved.params->dump(), R"({"behavior":"allowAndName","downloadPath":"/home/owner/exchange","eventsEnabled":true})");
  EXPECT_EQ(rule(On::page, "Page.setDownloadBehavior", R"({"behavior":"default"})").params->dump(),
            R"({"behavior":"allow","downloadPath":"/home/owner/exchange"})");
  EXPECT_EQ(rule(On::root, "Browser.setDownloadBehavior", R"({"behavior":"deny","downloadPath":"/etc"})").params->dump(), R"({"behavior":"deny"})");
  Place none = place_of(On::root);
  none.exchange.clear();
  EXPECT_EQ(rule_command("Browser.setDownloadBehavior", json(R"({"behavior":"allow","downloadPath":"/etc"})"), none).params->dump(), R"({"behavior":"deny"})");
  EXPECT_EQ(rule(On::root, "Browser.setDownloadBehavior", R"({"downloadPath":"/etc"})").verdict, Verdict::refuse);
  EXPECT_EQ(rule_command("DOM.setFileInputFiles", json(R"({"files":["/etc/passwd"]})"), none).verdict, Verdict::refuse);
}

TEST(Rules, UniversalAccessIsTakenAway) {
  const Ruling ruling = rule(On::page, "Page.createIsolatedWorld", R"({"frameId":"F","worldName":"utility","grantUniveralAccess":true})");
  EXPECT_EQ(ruling.verdict, Verdict::pass);
  ASSERT_TRUE(ruling.params);
  EXPECT_EQ(ruling.params->dump(), R"({"frameId":"F","worldName":"utility"})");
}

TEST(Rules, PuppeteersCookies) {
  const Ruling ruling = rule(On::page, "Network.deleteCookies", R"({"name":"a","url":"https://a.example","value":"b","secure":true})");
  ASSERT_TRUE(ruling.params);
  EXPECT_EQ(ruling.params->dump(), R"({"name":"a","url":"https://a.example"})");
}

TEST(Rules, Urls) {
  for (const char* url : {"about:blank", "http://127.0.0.1:8080/", "https://shop.example", "https://shop.example?x", "https://xn--bcher-kva.example/a",
                          "http://[::1]:80/", "https://a.example/%2e%2e/\\b", "https://SHOP.example/", "https://a.example/\xc3\xbc"})
    EXPECT_TRUE(url_allowed(url)) << url;
  for (const char* url :
       {"", "about:blank#", "about:srcdoc", "file:///etc/passwd", "chrome://version", "chrome-untrusted://x", "devtools://devtools/x", "view-source:https://a.example",
        "javascript:1", "data:text/html,x", "blob:https://a.example/x", "filesystem:https://a.example/x", "ftp://a.example", "ws://a.example", "HTTPS://a.example",
        " https://a.example", "\thttps://a.example", "https://a.example ", "ht\ntps://a.example", "https://a.example/\n", "https:///a.example", "https:a.example",
        "https:/a.example", "https:\\\\a.example", "https://", "https://user@a.example", "https://user:pass@a.example", "https://a.example:pass@b.example",
        "https://a.example\\@b.example", "https://a.example.", "https://a.example./x", "https://a.example.:443/", "https://a.ex%61mple/", "https://b\xc3\xbc" "cher.example/",
        "https://a.example:", "https://a.example:443x/", "https://a b.example/", "https://[::1", "https://[::1]x/", "https://]/", "https://a.example:1:2/",
        "https://.example/", "//a.example", "a.example"})
    EXPECT_FALSE(url_allowed(url)) << url;
  EXPECT_FALSE(url_allowed("https://a.example/" + std::string(70000, 'a')));
  EXPECT_FALSE(url_allowed(std::string_view("https://a.example/\0", 19)));
}

TEST(Rules, RedactedUrls) {
  EXPECT_EQ(redacted("https://shop.example/pay?number=4242"), "https://shop.example");
  EXPECT_EQ(redacted("https://shop.example:444/#4242"), "https://shop.example:444");
  for (const char* url : {"about:blank", "data:text/plain,4242", "blob:https://a.example/4242", "", "4242", "https://4242@a.example/"})
    EXPECT_EQ(redacted(url).find("4242"), std::string::npos) << url;
  EXPECT_EQ(redacted("data:text/plain,x"), "about:blank");
}

TEST(Rules, Events) {
  for (const char* event : {"Page.frameNavigated", "Network.requestWillBeSent", "Runtime.consoleAPICalled", "Page.screencastFrame", "Target.targetInfoChanged"})
    EXPECT_EQ(event_rule(event, place_of(On::page)), EventRule::pass) << event;
  for (const char* event : {"Fetch.requestPaused", "Debugger.paused", "Tracing.dataCollected", "Target.receivedMessageFromTarget", "Page.unheardOf", "", "Page."})
    EXPECT_EQ(event_rule(event, place_of(On::page)), EventRule::drop) << event;
  for (const On on : {On::processor, On::processor_live, On::sealed}) {
    for (const char* event : {"Network.requestWillBeSent", "Runtime.consoleAPICalled", "Runtime.bindingCalled", "Page.screencastFrame", "Log.entryAdded",
                              "DOM.attributeModified", "Accessibility.nodesUpdated", "Input.dragIntercepted", "Page.windowOpen", "Runtime.exceptionThrown"})
      EXPECT_EQ(event_rule(event, place_of(on)), EventRule::drop) << event;
    EXPECT_EQ(event_rule("Page.frameNavigated", place_of(on)), EventRule::look);
  }
  EXPECT_EQ(event_rule("Page.frameNavigated", place_of(On::live)), EventRule::pass);
  EXPECT_EQ(event_rule("Target.targetInfoChanged", place_of(On::live)), EventRule::look);
  // Raw headers, while a purchase is live and afterwards.
  Place redacted_page = place_of(On::page);
  redacted_page.redacted = true;
  for (const char* event : {"Network.responseReceivedExtraInfo", "Network.requestWillBeSentExtraInfo", "Network.responseReceivedEarlyHints"}) {
    EXPECT_EQ(event_rule(event, place_of(On::page)), EventRule::pass) << event;
    for (const Place& place : {place_of(On::live), redacted_page, place_of(On::processor), place_of(On::sealed)})
      EXPECT_EQ(event_rule(event, place), EventRule::drop) << event;
  }
}

TEST(Rules, FieldsOfHeldEvents) {
  const Place sealed = place_of(On::sealed);
  const auto frame = rule_event("Page.frameNavigated",
                                json(R"({"frame":{"id":"F","loaderId":"L","url":"https://a.example/?4242","urlFragment":"#4242","name":"4242","securityOrigin":"https://a.example",
                                "unreachableUrl":"4242","new":"4242","mimeType":"text/html"},"type":"Navigation","new":"4242"})"),
                                sealed);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->dump(),
            R"({"frame":{"id":"F","loaderId":"L","mimeType":"text/html","securityOrigin":"https://a.example","url":"https://a.example"},"type":"Navigation"})");
  const auto dialog = rule_event("Page.javascriptDialogOpening", json(R"({"url":"https://a.example/4242","message":"4242","type":"prompt","defaultPrompt":"4242"})"), sealed);
  ASSERT_TRUE(dialog);
  EXPECT_EQ(dialog->dump(), R"({"message":"","type":"prompt","url":"https://a.example"})");
  const auto target =
      rule_event("Target.targetInfoChanged", json(R"({"targetInfo":{"targetId":"T","title":"4242","url":"https://a.example/4242","type":"page"}})"), place_of(On::live));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->dump(), R"({"targetInfo":{"targetId":"T","title":"https://a.example","type":"page","url":"https://a.example"}})");
  EXPECT_FALSE(rule_event("Network.requestWillBeSent", Json::Object{}, sealed));
  const auto odd = rule_event("Page.frameNavigated", json(R"({"frame":"4242","type":"4"})"), sealed);
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->dump(), R"({"type":"4"})");
}

TEST(Rules, ResultsOfHeldPages) {
  EXPECT_TRUE(rule(On::processor, "Page.getFrameTree").look);
  EXPECT_FALSE(rule(On::page, "Page.getFrameTree").look);
  EXPECT_TRUE(rule(On::sealed, "Input.dispatchKeyEvent", R"({"type":"keyUp","key":"Enter"})").look);
  EXPECT_EQ(rule_result("Input.dispatchKeyEvent", json(R"({"x":"4242"})"), place_of(On::sealed)).dump(), "{}");
  const Json tree = rule_result(
      "Page.getFrameTree",
      json(R"({"frameTree":{"frame":{"id":"F","url":"https://psp.example/s/4242"},"childFrames":[{"frame":{"id":"G","url":"https://b.example/4242","name":"4242"}}]}})"),
      place_of(On::processor));
  EXPECT_EQ(tree.dump(),
            R"({"frameTree":{"childFrames":[{"frame":{"id":"G","url":"https://b.example"}}],"frame":{"id":"F","url":"https://psp.example"}}})");
  const Json history = rule_result("Page.getNavigationHistory",
                                   json(R"({"currentIndex":0,"entries":[{"id":1,"url":"https://a.example/4242","userTypedURL":"4242","title":"4242","transitionType":"link"}]})"),
                                   place_of(On::processor));
  EXPECT_EQ(history.dump().find("4242"), std::string::npos);
  EXPECT_EQ(history["entries"].array()->at(0)["id"].int_or(0), 1);
  EXPECT_EQ(shown_target(json(R"({"title":"x","url":"https://a.example/b"})"), place_of(On::root)).dump(), R"({"title":"x","url":"https://a.example/b"})");
}

TEST(RulesTable, EachNameOnceAndEachCheckKnown) {
  std::set<std::string> seen;
  for (const std::string& name : command_names()) EXPECT_TRUE(seen.insert(name).second) << name << " stands twice";
  seen.clear();
  for (const std::string& name : event_names()) EXPECT_TRUE(seen.insert(name).second) << name << " stands twice";
  static const std::set<std::string> kResults{"", "empty", "frames", "history", "target", "targets"};
  for (const std::string& name : command_names()) {
    const CommandRow& row = *command_row(name);
    std::set<std::string> parameters;
    for (const Parameter& parameter : row.params) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << name << " " << parameter.name;
      EXPECT_TRUE(check_exists(parameter.check)) << name << " " << parameter.check;
    }
    if (row.kind == CommandRow::Kind::pass) EXPECT_TRUE(kResults.contains(row.result)) << name;
    if (row.kind == CommandRow::Kind::refuse) EXPECT_FALSE(row.why.empty()) << name;
    if (row.kind == CommandRow::Kind::answer) EXPECT_TRUE(Json::parse(row.result)) << name;
  }
  for (const std::string& name : event_names())
    for (const Field& field : event_row(name)->held)
      EXPECT_TRUE(field.as.empty() || field.as == "origin" || field.as == "site" || field.as == "blank") << name;
  EXPECT_FALSE(check_exists("unheard-of"));
}

// The table knows no method, parameter or field that is made up, wherever.
TEST(RulesTable, UnknownParametersAreRefusedEverywhere) {
  Json params = Json::Object{};
  params.set("unheardOf", 1);
  for (const std::string& name : command_names())
    for (const On on : {On::root, On::tab, On::page, On::frame, On::worker, On::processor, On::sealed}) {
      const Verdict verdict = rule_command(name, params, place_of(on)).verdict;
      EXPECT_NE(verdict, Verdict::pass) << name;
      EXPECT_EQ(rule_command(name + "x", Json::Object{}, place_of(on)).verdict, Verdict::refuse);
    }
}

}  // namespace
}  // namespace popvault::guard
