// Samples and live camera of the demo page. Both hand a file to the page's own input, as if it had been dropped there: the
// server gets no other requests from them than from a drop.
(() => {
  const REFUSALS = {
    NotAllowedError: 'The browser refuses the camera to this page: allow it, at the camera symbol beside the address or in '
      + 'the settings of the browser or the system, and start it again.',
    NotFoundError: 'The browser finds no camera on this machine: connect one and start it again.',
    NotReadableError: 'The camera cannot be read, perhaps because another program uses it: end that one and start it again.',
  };
  const UNKNOWN = 'The camera could not be started: images can be dropped on the page all the same.';
  const NO_CAMERAS = 'This browser gives no camera to this address: it does to the one that the program printed, on '
    + '127.0.0.1.';
  const ENDED = 'The camera was disconnected, or taken from this page.';
  const WAIT_MS = 60000;
  const find = selector => document.querySelector(selector);
  const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

  function say(sentence) {
    const place = find('#camera-refused');
    if (place) place.textContent = sentence;
  }

  async function until(isSo) {
    for (const end = performance.now() + WAIT_MS; performance.now() < end; await sleep(20)) {
      const found = isSo();
      if (found) return found;
    }
    return null;
  }

  // Also called for the camera of Gradio's own, whose message names one of the reasons only.
  const devices = navigator.mediaDevices;
  if (devices && devices.getUserMedia) {
    const ask = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async wanted => {
      try {
        const stream = await ask(wanted);
        say('');
        return stream;
      } catch (error) {
        say(REFUSALS[error.name] || UNKNOWN);
        throw error;
      }
    };
  }

  // Give an image to the page, and wait for its answer: after the answers to those before, since of two that are uploaded at
  // once one would never be asked about.
  let last = Promise.resolve();
  function classify(blob) {
    last = last.then(() => give(blob)).catch(() => null);
    return last;
  }

  async function give(blob) {
    let input = find('#image input[type=file]');
    if (!input) {  // The camera is shown in its place.
      find('#image [aria-label="Upload file"]')?.click();
      input = await until(() => find('#image input[type=file]'));
    }
    const before = find('#answer .answer');
    if (!input || !before) return null;
    before.dataset.old = 'yes';
    const files = new DataTransfer();
    files.items.add(new File([blob], 'image.jpg', {type: 'image/jpeg'}));
    input.files = files.files;
    input.dispatchEvent(new Event('change', {bubbles: true}));
    return await until(() => find('#answer .answer:not([data-old])'));
  }

  // On a phone the answer is below the inputs.
  function show(answer) {
    if (answer && answer.getBoundingClientRect().top > window.innerHeight / 2) answer.scrollIntoView({behavior: 'smooth'});
  }

  function bytes(dataUri) {
    const text = atob(dataUri.slice(dataUri.indexOf(',') + 1));
    return new Blob([Uint8Array.from(text, letter => letter.charCodeAt(0))], {type: 'image/jpeg'});
  }

  let stream = null;

  function stop(sentence) {
    if (stream) stream.getTracks().forEach(track => track.stop());
    stream = null;
    document.body.classList.remove('is-live');
    find('#live-start').textContent = 'Start the live camera';
    if (sentence) say(sentence);
  }

  function frame(video) {
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', 0.9));
  }

  async function start() {
    if (!devices || !devices.getUserMedia) {
      say(NO_CAMERAS);
      return;
    }
    let own;
    try {
      own = await devices.getUserMedia({video: {width: {ideal: 640}, height: {ideal: 480}}});
    } catch {
      return;  // Said above.
    }
    stream = own;
    own.getTracks().forEach(track => track.addEventListener('ended', () => stream === own && stop(ENDED)));
    document.body.classList.add('is-live');
    find('#live-start').textContent = 'Stop the live camera';
    const video = find('#live-video');
    video.srcObject = own;
    await video.play();
    // One frame at a time: the next one is taken when the answer to the last one is there.
    while (stream === own) {
      if (document.hidden) await sleep(200);
      else if (!await classify(await frame(video))) stop('The page gives no answer: look at its terminal.');
    }
  }

  document.addEventListener('click', event => {
    const sample = event.target.closest('[data-sample]');
    if (sample) {
      stop('');
      classify(bytes(sample.querySelector('img').src)).then(show);
    }
    if (event.target.closest('#live-start')) stream ? stop('') : start();
  });
})();
